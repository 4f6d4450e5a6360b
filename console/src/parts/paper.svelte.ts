import { theme } from "../app/prefs.svelte";

/** Prints in light colours, whatever the screen shows, while the calling component lives. */
export function onPaper(): void {
  $effect(() => {
    const root = document.documentElement;
    const before = (): void => void (root.dataset.theme = "light");
    const after = (): void => void (root.dataset.theme = theme.isDark ? "dark" : "light");
    addEventListener("beforeprint", before);
    addEventListener("afterprint", after);
    return () => {
      removeEventListener("beforeprint", before);
      removeEventListener("afterprint", after);
    };
  });
}
