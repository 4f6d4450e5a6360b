/** Words that are being written, kept in this tab until they are sent: a log-in may end before that. */

const PREFIX = "motorpool.words.";
const OWNER = "motorpool.words-of";

const keys = (): string[] => Array.from({ length: sessionStorage.length }, (_, index) => sessionStorage.key(index) ?? "").filter((key) => key.startsWith(PREFIX));

export const drafts = {
  of: (key: string): string => sessionStorage.getItem(PREFIX + key) ?? "",
  keep(key: string, text: string): void {
    if (text) sessionStorage.setItem(PREFIX + key, text);
    else sessionStorage.removeItem(PREFIX + key);
  },
  forget(key: string): void {
    sessionStorage.removeItem(PREFIX + key);
  },
  /** Another person at this tab does not read them. */
  belongTo(owner: string): void {
    if (sessionStorage.getItem(OWNER) !== owner) drafts.clear();
    sessionStorage.setItem(OWNER, owner);
  },
  clear(): void {
    for (const key of keys()) sessionStorage.removeItem(key);
  },
};
