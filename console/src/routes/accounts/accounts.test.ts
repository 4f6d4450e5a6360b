import { describe, expect, it } from "vitest";
import { isExpired, mayHold, tiedTo } from "./grants";
import { inFours, passwordFault } from "./password";
import { drawQr } from "./qr";

describe("a new password", () => {
  const good = "三月 春风 very long";
  it("is long, is not the name, is another one, and typed twice", () => {
    expect(passwordFault({ password: good, again: good, name: "zhang", old: "x" })).toBeNull();
    expect(passwordFault({ password: "一二三四五六七八九十十", again: "" })).toBe("short");
    expect(passwordFault({ password: "xxxxZhangxxxx", again: "", name: "zhang" })).toBe("is_name");
    expect(passwordFault({ password: good, again: good, old: good })).toBe("same");
    expect(passwordFault({ password: good, again: `${good}.` })).toBe("differs");
  });
});

describe("a code to be read by a telephone", () => {
  it("has its three finder patterns inside a quiet zone", () => {
    const { size, path } = drawQr("otpauth://totp/Motorpool:zhang?secret=JBSWY3DPEHPK3PXP");
    const dark = new Set([...path.matchAll(/M(\d+) (\d+)h1/g)].map(([, x, y]) => `${x},${y}`));
    expect((size - 8 - 17) % 4, "21 modules and four more each version").toBe(0);
    const corners: [number, number][] = [
      [4, 4],
      [size - 11, 4],
      [4, size - 11],
    ];
    for (const [x, y] of corners) {
      for (let at = 0; at < 7; at += 1) expect(dark.has(`${x + at},${y}`) && dark.has(`${x},${y + at}`)).toBe(true);
      expect(dark.has(`${x + 1},${y + 1}`)).toBe(false);
      expect(dark.has(`${x + 3},${y + 3}`)).toBe(true);
    }
    for (let at = 0; at < size; at += 1) expect(dark.has(`${at},3`) || dark.has(`3,${at}`)).toBe(false);
  });

  it("can be typed instead", () => {
    expect(inFours("JBSWY3DPEHPK3PXPAA")).toBe("JBSW Y3DP EHPK 3PXP AA");
    expect(inFours("JBSW")).toBe("JBSW");
  });
});

describe("grants", () => {
  const role = (name: string, isExclusive: boolean) => ({ role: name, zh: name, permissions: [], is_exclusive: isExclusive });
  const grant = (name: string, until: string | null = null) => ({ id: 1, role: name, unit: 1, unit_name: "x", secret: false, until });
  const roles = [role("security-admin", true), role("audit-admin", true), role("inspector", false), role("viewer", false)];
  const names = (held: ReturnType<typeof grant>[]): string[] => mayHold(roles, held, 0).map((one) => one.role);

  it("keep the three administrators apart from everybody and each other", () => {
    expect(names([])).toHaveLength(4);
    expect(names([grant("viewer")])).toEqual(["inspector", "viewer"]);
    expect(names([grant("audit-admin")])).toEqual(["audit-admin"]);
    expect(names([grant("audit-admin", "1969-01-01T00:00:00Z")]), "what is over holds nobody").toHaveLength(4);
    expect(isExpired(grant("viewer", "1970-01-01T00:00:01Z"), 1_000)).toBe(true);
  });

  it("last to the end of the day that was chosen, where the fleet is", () => {
    expect(tiedTo("2026-03-04")).toBe("2026-03-04T16:00:00.000Z");
    expect(tiedTo("")).toBeUndefined();
  });
});
