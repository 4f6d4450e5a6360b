/**
 * The connection to `/api/v1/live`: opens it, says what is looked at, and opens it again with growing pauses when it breaks.
 *
 * Knows nothing of the map. The clock, timers and sockets are given, so that its behaviour can be tested without waiting.
 */

import { FrameReader } from "./wire";

export type FeedState = "connecting" | "live" | "waiting" | "closed";

export interface FeedStatus {
  state: FeedState;
  /** When the last frame came; null before the first. */
  lastFrameMs: number | null;
  /** When it is tried again, while `waiting`. */
  retryAtMs: number | null;
  attempts: number;
}

/** What the feed needs of a WebSocket. */
export interface Socket {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface FeedParts {
  open(): Socket;
  nowMs(): number;
  later(run: () => void, ms: number): number;
  cancel(timer: number): void;
  random(): number;
  onFrame(frame: FrameReader): void;
  onStatus(status: FeedStatus): void;
}

export interface Interest {
  bbox: [west: number, south: number, east: number, north: number] | null;
  unit: number | null;
}

const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 30_000;
const PAUSE_GROWTH = 2;
/** Bad frames after which the other side is taken for something else. */
const BAD_FRAMES_MAX = 3;

/** The pause before try number `attempt` (from 1), spread so that not all browsers come back at once. */
export function pauseMs(attempt: number, random: number): number {
  const whole = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * PAUSE_GROWTH ** (attempt - 1));
  return whole * (0.5 + random / 2);
}

export class LiveFeed {
  readonly #parts: FeedParts;
  #socket: Socket | null = null;
  #interest: Interest = { bbox: null, unit: null };
  #status: FeedStatus = { state: "closed", lastFrameMs: null, retryAtMs: null, attempts: 0 };
  #timer: number | null = null;
  #badFrames = 0;
  #isOpen = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  get status(): FeedStatus {
    return this.#status;
  }

  start(): void {
    if (this.#status.state === "closed") this.#connect();
  }

  stop(): void {
    if (this.#timer !== null) this.#parts.cancel(this.#timer);
    this.#timer = null;
    this.#drop();
    this.#tell({ state: "closed", retryAtMs: null });
  }

  /** Tries at once, for instance when the network is back. */
  retryNow(): void {
    if (this.#status.state !== "waiting") return;
    if (this.#timer !== null) this.#parts.cancel(this.#timer);
    this.#connect();
  }

  look(interest: Interest): void {
    this.#interest = interest;
    if (this.#isOpen) this.#socket?.send(JSON.stringify(interest));
  }

  #connect(): void {
    this.#timer = null;
    this.#tell({ state: "connecting", retryAtMs: null });
    const socket = this.#parts.open();
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#badFrames = 0;
    socket.onopen = () => {
      this.#isOpen = true;
      socket.send(JSON.stringify(this.#interest));
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#lost();
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) return;
    let frame: FrameReader;
    try {
      frame = new FrameReader(data);
    } catch {
      this.#badFrames += 1;
      if (this.#badFrames >= BAD_FRAMES_MAX) this.#lost();
      return;
    }
    this.#badFrames = 0;
    this.#parts.onFrame(frame);
    this.#tell({ state: "live", lastFrameMs: this.#parts.nowMs(), attempts: 0 });
  }

  #lost(): void {
    this.#drop();
    const attempts = this.#status.attempts + 1;
    const pause = pauseMs(attempts, this.#parts.random());
    this.#timer = this.#parts.later(() => this.#connect(), pause);
    this.#tell({ state: "waiting", attempts, retryAtMs: this.#parts.nowMs() + pause });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #tell(change: Partial<FeedStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#parts.onStatus(this.#status);
  }
}
