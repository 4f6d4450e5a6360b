import { en } from "./en";
import { catalogue, language } from "./language.svelte";
import { zh } from "./zh";

export { catalogue, language };

/** The shell's words. */
export const words = catalogue(zh, en);
