import { describe, expect, it } from "vitest";
import { claimsOf, emptyDraft } from "./draft";

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
