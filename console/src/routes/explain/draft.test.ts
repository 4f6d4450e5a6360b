import { beforeEach, describe, expect, it, vi } from "vitest";
import { drafts } from "../../parts/drafts";
import { storage } from "../../parts/storage-fixture";
import { claimsOf, emptyDraft, keepDraft, keptDraft } from "./draft";

beforeEach(() => {
  vi.stubGlobal("sessionStorage", storage());
  vi.stubGlobal("localStorage", storage());
});

describe("an answer", () => {
  it("claims what was filled in, and no more", () => {
    expect(claimsOf(emptyDraft(), "2026-03-04")).toEqual([]);
    const draft = { ...emptyDraft(), places: [{ text: " 县医院 ", from: "08:00", to: "09:30" }, { text: "无时间", from: "", to: "" }], people: [{ name: "张三" }, { name: " " }] };
    expect(claimsOf(draft, "2026-03-04")).toEqual([
      { claim: "place", place: { text: "县医院" }, from: "2026-03-04T00:00:00.000Z", to: "2026-03-04T01:30:00.000Z" },
      { claim: "person", name: "张三" },
    ]);
  });

  it("ends a stay over midnight on the next day", () => {
    const draft = { ...emptyDraft(), places: [{ text: "甲", from: "22:00", to: "01:00" }] };
    expect(claimsOf(draft, "2026-03-04")).toMatchObject([{ from: "2026-03-04T14:00:00.000Z", to: "2026-03-04T17:00:00.000Z" }]);
  });

  it("names a paper by its file when it has no number", () => {
    const draft = { ...emptyDraft(), documents: [{ no: "", attachment: "ab", file: "通知.jpg" }] };
    expect(claimsOf(draft, "2026-03-04")).toEqual([{ claim: "document", no: "通知.jpg", attachment: "ab" }]);
  });
});

describe("an answer that is not sent yet", () => {
  it("is for the one who writes it, and for nobody who logs in later", () => {
    const draft = { ...emptyDraft(), people: [{ name: "张三" }] };
    drafts.belongTo("a");
    keepDraft("v1", draft);
    expect(keptDraft("v1")).toEqual(draft);
    drafts.belongTo("b");
    expect(keptDraft("v1")).toEqual(emptyDraft());
    keepDraft("v2", draft);
    drafts.clear();
    expect(keptDraft("v2")).toEqual(emptyDraft());
    expect(localStorage.length).toBe(0);
  });
});
