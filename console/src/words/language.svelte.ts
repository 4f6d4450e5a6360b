export type Language = "zh" | "en";

const KEY = "motorpool.language";

function preferred(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

let current = $state<Language>(preferred());

export const language = {
  get current(): Language {
    return current;
  },
  set(wanted: Language): void {
    current = wanted;
    localStorage.setItem(KEY, wanted);
  },
  /** What `Intl` calls it. */
  get locale(): string {
    return current === "zh" ? "zh-CN" : "en-GB";
  },
};

/** Words in both languages. The Chinese are the source: an English catalogue that lacks one does not compile.
 *  Read the result in a template or `$derived`: it follows the language. */
export function catalogue<T extends object>(zh: T, en: T): () => T {
  return () => (current === "zh" ? zh : en);
}
