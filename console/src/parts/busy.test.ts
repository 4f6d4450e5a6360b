import { describe, expect, it } from "vitest";
import { Busy, FormKey } from "./busy.svelte";

describe("what is sent by a button", () => {
  it("is done once, however often it is pressed meanwhile", async () => {
    const busy = new Busy();
    let [done, end] = [0, (): void => undefined];
    const send = async (): Promise<void> => {
      done += 1;
      await new Promise<void>((settle) => (end = settle));
    };
    const first = busy.run(send);
    await busy.run(send);
    expect([done, busy.now]).toEqual([1, true]);
    end();
    await first;
    expect(busy.now).toBe(false);
  });

  it("can be sent again after it failed", async () => {
    const busy = new Busy();
    await expect(busy.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(busy.now).toBe(false);
  });

  it("carries one key while its content stays, and another for another", () => {
    const key = new FormKey();
    const first = key.of({ plate: "演A10009" });
    expect(key.of({ plate: "演A10009" })).toBe(first);
    expect(key.of({ plate: "演A10010" })).not.toBe(first);
  });
});
