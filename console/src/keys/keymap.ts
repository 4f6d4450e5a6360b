/** What keys do. The names are stored with a person's own keys, so they stay. */
export const COMMANDS = [
  "down",
  "up",
  "open",
  "exclude",
  "verify",
  "ask",
  "assign",
  "comment",
  "undo",
  "search",
  "help",
  "play",
  "stepBack",
  "stepOn",
  "eventBack",
  "eventOn",
  "slower",
  "faster",
] as const;
export type Command = (typeof COMMANDS)[number];
export type Keymap = Readonly<Record<Command, string>>;

export const DEFAULTS: Keymap = {
  down: "j",
  up: "k",
  open: "Enter",
  exclude: "e",
  verify: "v",
  ask: "x",
  assign: "a",
  comment: "c",
  undo: "u",
  search: "/",
  help: "?",
  play: " ",
  stepBack: ",",
  stepOn: ".",
  eventBack: "[",
  eventOn: "]",
  slower: "-",
  faster: "=",
};

/** A person's keys over the defaults; what is no command or no key is left out. */
export function keymapOf(stored: unknown): Keymap {
  if (typeof stored !== "object" || stored === null) return DEFAULTS;
  const own = Object.entries(stored).filter(
    ([name, key]) => (COMMANDS as readonly string[]).includes(name) && typeof key === "string" && key.length > 0 && key.length < 20,
  );
  return { ...DEFAULTS, ...Object.fromEntries(own) };
}

/** The map with a key given to a command. Whoever had the key gets the old one, so that no two share one. */
export function rebound(map: Keymap, command: Command, key: string): Keymap {
  const holder = COMMANDS.find((other) => map[other] === key);
  const swapped = holder && holder !== command ? { [holder]: map[command] } : {};
  return { ...map, ...swapped, [command]: key };
}

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** The command of a key press. With single characters switched off (WCAG 2.1.4) only keys with longer names count. */
export function commandOf(map: Keymap, press: KeyPress, hasCharacters: boolean): Command | undefined {
  if (press.ctrlKey || press.metaKey || press.altKey) return undefined;
  if (press.key.length === 1 && !hasCharacters) return undefined;
  return COMMANDS.find((command) => map[command] === press.key);
}

/** A key's name for people. */
export const keyName = (key: string): string => (key === " " ? "Space" : key === "Enter" ? "⏎" : key);
