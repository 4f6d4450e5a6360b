export interface Toast {
  id: number;
  text: string;
  isBad: boolean;
  /** Takes back what was done; offered until the toast goes. */
  undo?: () => void;
}

/** As long as an action can be taken back. */
export const UNDO_MS = 10_000;
const PLAIN_MS = 5_000;

let toasts = $state<Toast[]>([]);
let next = 1;

/** Short messages about what was done, with a way back where there is one. */
export const toaster = {
  get list(): readonly Toast[] {
    return toasts;
  },
  say(text: string, options: { undo?: () => void; isBad?: boolean } = {}): number {
    const id = next++;
    toasts.push({ id, text, isBad: options.isBad ?? false, undo: options.undo });
    setTimeout(() => toaster.drop(id), options.undo ? UNDO_MS : PLAIN_MS);
    return id;
  },
  drop(id: number): void {
    toasts = toasts.filter((toast) => toast.id !== id);
  },
  /** Takes back the last thing that can be; false when there is none. */
  undoLast(): boolean {
    const last = toasts.findLast((toast) => toast.undo);
    if (!last?.undo) return false;
    toaster.drop(last.id);
    last.undo();
    return true;
  },
};
