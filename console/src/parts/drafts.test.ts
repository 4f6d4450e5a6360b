import { beforeEach, describe, expect, it, vi } from "vitest";
import { drafts } from "./drafts";
import { storage } from "./storage-fixture";

beforeEach(() => void vi.stubGlobal("sessionStorage", storage()));

describe("words that are not sent yet", () => {
  it("are there again, each for its case and field, until they are sent", () => {
    drafts.keep("v1.comment", "一");
    drafts.keep("v1.ask", "二");
    expect([drafts.of("v1.comment"), drafts.of("v1.ask"), drafts.of("v2.comment")]).toEqual(["一", "二", ""]);
    drafts.forget("v1.comment");
    expect([drafts.of("v1.comment"), drafts.of("v1.ask")]).toEqual(["", "二"]);
  });

  it("are for the one who wrote them: after a new log-in too, but for nobody else", () => {
    drafts.belongTo("office");
    drafts.keep("v1.comment", "一");
    drafts.belongTo("office");
    expect(drafts.of("v1.comment")).toBe("一");
    drafts.belongTo("manager");
    expect(drafts.of("v1.comment")).toBe("");
  });
});
