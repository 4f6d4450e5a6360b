import { beforeAll, describe, expect, it, vi } from "vitest";
import type * as Text from "./problem-text";

let text: typeof Text;
let refused: (code: string, problem?: object) => unknown;

beforeAll(async () => {
  vi.stubGlobal("navigator", { language: "zh-CN" });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  text = await import("./problem-text");
  const { Refused } = await import("../api/problem");
  refused = (code, problem = {}) => new Refused(422, code, problem);
});

const HAN = /\p{Script=Han}/u;

describe("what the server refused", () => {
  it("is told in the language of the page, by its code or by its sentence", () => {
    expect(text.inWords(refused("unauthorized", { title: "A log-in or a valid token is needed" }))).toBe("登录已失效，请重新登录。");
    expect(text.inWords(refused("invalid_body", { detail: "refused: there is an account `office` already" }))).toBe("已有账户“office”，请换一个账户名。");
    expect(text.inWords(refused("conflict", { detail: "not possible in stage ExplanationAsked" }))).toContain("“待说明”");
    expect(text.inWords(refused("a_code_of_tomorrow", { detail: "something new" }))).toMatch(HAN);
  });

  it("names the fields as the form does", () => {
    const error = refused("invalid_body", { errors: [{ pointer: "/row/no", message: "must not be empty" }, { pointer: "/row/planned_in", message: "is odd" }] });
    expect(text.fieldsInWords(error, { no: "单号" })).toEqual(["单号 不能为空", "填写不正确"]);
    expect(text.serversOwn(error), "what was not understood is kept").toEqual(["/row/planned_in is odd"]);
  });
});
