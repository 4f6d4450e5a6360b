import { token } from "./client";

/** What the server tells while the page is open. */
interface Events {
  case: { case: string; state: string; seq: number };
  flag: { case?: string };
  device: { device: number; online: boolean };
}

let source: EventSource | null = null;
let listeners = 0;

function open(): EventSource {
  source ??= new EventSource("/api/v1/events");
  listeners += 1;
  return source;
}

function release(): void {
  listeners -= 1;
  if (listeners > 0) return;
  source?.close();
  source = null;
}

/** Listens while the calling component lives. One stream serves all; a bearer token can't open one, so there it is silent. */
export function onServerEvent<Name extends keyof Events>(name: Name, handler: (data: Events[Name]) => void): void {
  $effect(() => {
    if (token.get()) return;
    const stream = open();
    const heard = (event: MessageEvent<string>): void => handler(JSON.parse(event.data) as Events[Name]);
    stream.addEventListener(name, heard);
    return () => {
      stream.removeEventListener(name, heard);
      release();
    };
  });
}
