export type Theme = "light" | "dark" | "system";

const KEY = "motorpool.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

const kept = localStorage.getItem(KEY);
let chosen = $state<Theme>(kept === "light" || kept === "dark" ? kept : "system");
let systemIsDark = $state(dark.matches);

dark.addEventListener("change", (event) => {
  systemIsDark = event.matches;
});

export const theme = {
  get chosen(): Theme {
    return chosen;
  },
  /** Whether the page is dark now. Canvases redraw when it changes. */
  get isDark(): boolean {
    return chosen === "dark" || (chosen === "system" && systemIsDark);
  },
  set(wanted: Theme): void {
    chosen = wanted;
    localStorage.setItem(KEY, wanted);
  },
};

/** Whether the person asked for less motion. */
export const reducedMotion = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;
