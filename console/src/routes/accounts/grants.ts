import { addDays, instantOf } from "../../time/zone";
import type { GrantView, Role } from "./types";

export const isExpired = (grant: Pick<GrantView, "until">, now: number): boolean => grant.until != null && Date.parse(grant.until) <= now;

/** The roles that an account may get besides those it holds: each of the three administrators stands alone (三员分立). */
export function mayHold(roles: readonly Role[], held: readonly GrantView[], now: number): Role[] {
  const current = held.filter((grant) => !isExpired(grant, now));
  if (!current.length) return [...roles];
  const exclusive = roles.find((role) => role.is_exclusive && current.some((grant) => grant.role === role.role));
  return roles.filter((role) => (exclusive ? role.role === exclusive.role : !role.is_exclusive));
}

/** The end of a local day, as a grant is given until; undefined without a day. */
export const tiedTo = (day: string): string | undefined => (day ? new Date(instantOf(addDays(day, 1))).toISOString() : undefined);
