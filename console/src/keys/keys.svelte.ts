import { commandOf, DEFAULTS, keymapOf, rebound, type Command, type Keymap } from "./keymap";

const KEYS = "motorpool.keys";
const OFF = "motorpool.keys.off";

function stored(): Keymap {
  try {
    return keymapOf(JSON.parse(localStorage.getItem(KEYS) ?? "null"));
  } catch {
    return DEFAULTS;
  }
}

let map = $state.raw<Keymap>(stored());
let hasCharacters = $state(localStorage.getItem(OFF) !== "1");

export const keys = {
  get map(): Keymap {
    return map;
  },
  /** Whether keys of one character do anything. */
  get hasCharacters(): boolean {
    return hasCharacters;
  },
  turnCharacters(on: boolean): void {
    hasCharacters = on;
    localStorage.setItem(OFF, on ? "" : "1");
  },
  bind(command: Command, key: string): void {
    map = rebound(map, command, key);
    localStorage.setItem(KEYS, JSON.stringify(map));
  },
  reset(): void {
    map = DEFAULTS;
    localStorage.removeItem(KEYS);
  },
};

const TYPING = "input:not([type=checkbox]):not([type=radio]):not([type=range]),textarea,select,[contenteditable]";
const PRESSING = "button,a[href],summary,[role=slider],input";

export type Handlers = Partial<Record<Command, () => void>>;

/** Listens for commands while the calling component lives. */
export function onKeys(handlers: Handlers): void {
  function pressed(event: KeyboardEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    if (event.defaultPrevented || target?.closest(TYPING) || document.querySelector("dialog[open]")) return;
    // Space and Enter belong to what has the focus.
    if ((event.key === " " || event.key === "Enter") && target?.closest(PRESSING)) return;
    const command = commandOf(map, event, hasCharacters);
    const handler = command && handlers[command];
    if (!handler) return;
    event.preventDefault();
    handler();
  }
  $effect(() => {
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}
