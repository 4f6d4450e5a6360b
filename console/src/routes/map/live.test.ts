import { afterEach, expect, it, vi } from "vitest";

vi.mock("./api", () => ({
  readFleet: async () => ({ units: [], cars: [] }),
  readPositions: async () => ({ items: [{ device: 7, links: 1, lat: 40, lon: 102, valid: true, speed_kmh: 30, place_time: "2026-03-04T08:00:00Z" }] }),
}));

afterEach(() => vi.unstubAllGlobals());

/** A socket that a proxy in between refuses. */
class RefusedSocket {
  binaryType = "";
  onopen = null;
  onmessage = null;
  onclose: (() => void) | null = null;
  constructor() {
    queueMicrotask(() => this.onclose?.());
  }
  send(): void {}
  close(): void {}
}

it("reads positions the plain way where no socket gets through", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("location", { protocol: "http:", host: "demo" });
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined }));
  vi.stubGlobal("document", { documentElement: {} });
  vi.stubGlobal("WebSocket", RefusedSocket);
  const { LiveFleet } = await import("./live.svelte");
  const live = new LiveFleet();
  await live.start();
  for (let second = 0; second < 10 && !live.isPolling; second += 1) await vi.advanceTimersByTimeAsync(1_000);
  await vi.advanceTimersByTimeAsync(0);
  expect([live.isPolling, live.fleet.size, live.feed.state]).toEqual([true, 1, "live"]);
  live.stop();
  vi.useRealTimers();
});
