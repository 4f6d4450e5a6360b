/** Whether an address may be typed as the target of a webhook; what it may reach the server decides. */
export function isHookAddress(text: string): boolean {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return false;
  }
  return url.protocol === "https:" && !url.username && !url.password;
}

/** Roles that see no cases, or, as drivers, none but the own. */
const SEES_NO_CASES = new Set(["system-admin", "security-admin", "audit-admin", "finance", "viewer", "driver"]);

/** Whether somebody may let webhooks tell of flags and cases: who sees every case. */
export const seesEveryCase = (grants: readonly { role: string; unit?: number | null }[]): boolean => grants.some(({ role, unit }) => !unit && !SEES_NO_CASES.has(role));
