import { describe, expect, it } from "vitest";
import { type FeedStatus, LiveFeed, pauseMs, type Socket } from "./live-feed";
import { encodeFrame, FrameKind } from "./wire";

class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  sent: string[] = [];
  isClosed = false;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.isClosed = true;
  }
}

function bench() {
  const sockets: FakeSocket[] = [];
  const timers: { run: () => void; ms: number }[] = [];
  const statuses: FeedStatus[] = [];
  let frames = 0;
  const feed = new LiveFeed({
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    nowMs: () => 5_000,
    later: (run, ms) => timers.push({ run, ms }),
    cancel: (timer) => timers.splice(timer - 1, 1),
    random: () => 1,
    onFrame: () => (frames += 1),
    onStatus: (status) => statuses.push(status),
  });
  const frame = (): MessageEvent => new MessageEvent("message", { data: encodeFrame(FrameKind.update, []) });
  const open = (): void => sockets.at(-1)!.onopen!(new Event("open"));
  const lose = (): void => sockets.at(-1)!.onclose!({} as CloseEvent);
  return { feed, sockets, timers, statuses, frame, open, lose, frames: () => frames };
}

describe("live feed", () => {
  it("says what it looks at when the socket opens, and when it looks elsewhere", () => {
    const { feed, sockets, open } = bench();
    feed.look({ bbox: [1, 2, 3, 4], unit: null });
    feed.start();
    open();
    feed.look({ bbox: null, unit: 7 });
    expect(sockets[0]?.sent).toEqual(['{"bbox":[1,2,3,4],"unit":null}', '{"bbox":null,"unit":7}']);
  });

  it("waits longer after each failure, up to a limit, and from the beginning after a frame", () => {
    const { feed, sockets, timers, open, lose, frame } = bench();
    feed.start();
    for (let failure = 0; failure < 7; failure += 1) {
      lose();
      timers.at(-1)!.run();
    }
    expect(timers.map(({ ms }) => ms)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    open();
    sockets.at(-1)!.onmessage!(frame());
    lose();
    expect(timers.at(-1)!.ms).toBe(1_000);
    expect(pauseMs(3, 0)).toBe(2_000);
  });

  it("tells when the last frame came, also while it waits", () => {
    const { feed, sockets, statuses, open, lose, frame } = bench();
    feed.start();
    open();
    sockets[0]!.onmessage!(frame());
    expect(statuses.at(-1)).toMatchObject({ state: "live", lastFrameMs: 5_000 });
    lose();
    expect(statuses.at(-1)).toMatchObject({ state: "waiting", lastFrameMs: 5_000, retryAtMs: 6_000 });
  });

  it("gives up a socket that talks nonsense, but forgives one bad frame", () => {
    const { feed, sockets, open, frame, frames, timers } = bench();
    feed.start();
    open();
    const nonsense = new MessageEvent("message", { data: new ArrayBuffer(3) });
    const socket = sockets[0]!;
    for (const event of [nonsense, frame(), nonsense, nonsense]) socket.onmessage!(event);
    expect(frames()).toBe(1);
    expect(socket.isClosed).toBe(false);
    socket.onmessage!(nonsense);
    expect(socket.isClosed).toBe(true);
    expect(timers).toHaveLength(1);
  });

  it("stays closed when it is stopped", () => {
    const { feed, sockets, timers, lose } = bench();
    feed.start();
    const close = sockets[0]!.onclose;
    feed.stop();
    expect(close).not.toBeNull();
    expect(sockets[0]?.onclose).toBeNull();
    expect(timers).toHaveLength(0);
    expect(feed.status.state).toBe("closed");
    feed.start();
    lose();
    feed.stop();
    expect(timers).toHaveLength(0);
  });
});
