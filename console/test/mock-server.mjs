/**
 * A server that answers like ours as far as the map asks, with a made-up county behind it: for tests of the map alone.
 *
 *     node test/mock-server.mjs [--cars 253] [--updates 60] [--port 0] [--dist dist]
 *
 * It serves the built console with the content security policy of the real one, and frames of the live feed written here a second time,
 * so that both sides are not wrong together.
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { crc32, deflateSync } from "node:zlib";
import { WebSocketServer } from "ws";
import { County, State, zones } from "./mock-county.mjs";

const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const PERMISSIONS = ["positions:read", "tracks:read", "trips:read", "orders:read", "registers:read", "registers:write", "zones:write", "devices:read"];
/** A zone with this in its name is proposed, not written. */
const CLEARING = "度假";

/** The bytes of a frame. */
export function frame(kind, cars) {
  const bytes = Buffer.alloc(8 + cars.length * 20);
  bytes[0] = 1;
  bytes[1] = kind;
  bytes.writeUInt32LE(cars.length, 4);
  cars.forEach((car, index) => {
    const at = 8 + index * 20;
    const isKnown = car.state !== State.noPosition;
    bytes.writeUInt32LE(car.n, at);
    bytes.writeInt32LE(isKnown ? Math.round(car.lon * 1e7) : 0, at + 4);
    bytes.writeInt32LE(isKnown ? Math.round(car.lat * 1e7) : 0, at + 8);
    bytes.writeUInt32LE(isKnown ? car.fixTimeS : 0, at + 12);
    bytes[at + 16] = car.state;
    bytes[at + 17] = Math.min(255, Math.round(car.speedKmh));
    bytes.writeUInt16LE(Math.floor((car.course * 65536) / 360) & 0xffff, at + 18);
  });
  return bytes;
}

/** A picture of 256 by 256 pixels, as a PNG of one byte a pixel. */
function png(valueAt) {
  const side = 256;
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const bytes = Buffer.alloc(body.length + 8);
    bytes.writeUInt32BE(data.length);
    body.copy(bytes, 4);
    bytes.writeUInt32BE(crc32(body), body.length + 4);
    return bytes;
  };
  const header = Buffer.from([0, 0, 1, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0]);
  const rows = Buffer.alloc(side * (side + 1));
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) rows[row * (side + 1) + column + 1] = valueAt(column, row);
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const TILE = png((column, row) => (column === 0 || row === 0 ? 190 : 232));

const json = (response, body, status = 200, headers = {}) => {
  response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json", ...headers });
  response.end(JSON.stringify(body));
};

const problem = (response, status, code) => json(response, { type: "about:blank", title: code, status, code }, status);

class Mock {
  constructor({ cars, updates, dist, basemaps = [] }) {
    this.county = new County({ cars });
    this.zones = zones(this.county);
    this.updates = updates;
    this.dist = dist;
    this.basemaps = basemaps;
    this.isDown = false;
    const nowS = Math.floor(Date.now() / 1000);
    this.startedS = nowS;
    for (const car of this.county.cars) {
      this.county.drive(car, 0, nowS);
      car.fixTimeS = nowS - (car.state === State.offline ? 7_200 + Math.floor(this.county.next() * 80_000) : Math.floor(this.county.next() * 20));
    }
  }

  me() {
    return {
      account: 3, name: "zhang", display_name: "张纪检", person: 12, unit: 1, unit_name: "云山县（演示）", permissions: PERMISSIONS,
      grants: [{ role: "inspector", unit: 1, unit_name: "云山县（演示）", until: null }], must_change_password: false, has_totp: true, is_demo: true,
    };
  }

  fleet() {
    const cars = this.county.cars.map(({ n, plate, unit, driver, class: kind }) => ({
      id: n + 1_000, n, device: `0139${String(n).padStart(8, "0")}`, plate, unit, driver, class: kind,
    }));
    return { units: this.county.units, cars };
  }

  /** Today's trips of a car, made up from its number. */
  segments(vehicle) {
    const hour = 3_600_000;
    const start = new Date().setHours(8, 5 + (vehicle % 40), 0, 0);
    const trip = (at, minutes, metres) => ({
      id: `${vehicle}-${at}`, lineage: "", device: vehicle, kind: "trip", start: new Date(at).toISOString(),
      end: new Date(at + minutes * 60_000).toISOString(), distance_m: metres, max_speed_kmh: 61.5, recorded_at: new Date(at).toISOString(),
    });
    return { items: [trip(start, 26, 14_200), trip(start + 1.4 * hour, 41, 23_800)].filter((each) => Date.parse(each.end) < Date.now()) };
  }

  /** The last half hour of a car, driven backwards from where it is. */
  track(n) {
    const car = { ...this.county.cars[n - 1] };
    const items = [];
    const endS = car.fixTimeS;
    for (let atS = endS; atS > endS - 1_800; atS -= 10) {
      items.push({ fix_time: new Date(atS * 1000).toISOString(), lat: car.lat, lon: car.lon, valid: true, speed_kmh: Math.round(car.speedKmh), course_deg: Math.round(car.course) });
      [car.from, car.to, car.share] = [car.to, car.from, 1 - car.share];
      this.county.drive(car, 10, atS);
      [car.from, car.to, car.share] = [car.to, car.from, 1 - car.share];
    }
    return { device: n, terminal: "", crs: "wgs84", items: items.reverse() };
  }

  order(vehicle) {
    const at = (hours) => new Date(Date.now() + hours * 3_600_000).toISOString();
    const row = {
      no: `2026-${1_000 + (vehicle % 9_000)}`, unit: 2, vehicle, user: "周敏", driver: "王建国", purpose: "下乡检查河道治理",
      destinations: [{ text: "柳溪镇人民政府" }], planned_out: at(-3), planned_in: at(3), state: "approved",
    };
    return { items: vehicle % 3 === 0 ? [] : [{ id: vehicle, version: 1, recorded_at: at(-5), recorded_by: "mock", row }] };
  }

  writeZone(id, body, response) {
    if (!body.row?.name) return problem(response, 422, "invalid_body");
    if (body.row.name.includes(CLEARING)) {
      return json(response, { proposal: 41, would_clear: 3, by_rule: { R04: 2, R07: 1 }, by_unit: { 2: 3 } }, 202);
    }
    const known = this.zones.find((zone) => zone.id === id);
    const zone = known ?? { id: this.zones.length + 1, version: 0, recorded_by: "mock" };
    Object.assign(zone, { version: zone.version + 1, recorded_at: new Date().toISOString(), row: body.row });
    if (!known) this.zones.push(zone);
    json(response, { kind: "zone", id: zone.id, version: zone.version, recorded_at: zone.recorded_at }, 200, { etag: `"${zone.version}"` });
  }

  async api(request, response, url) {
    const path = url.pathname.replace("/api/v1/", "");
    const number = Number(path.split("/").find((part) => /^\d+$/.test(part)));
    if (path === "me") return json(response, this.me());
    if (path === "status") return json(response, { demo: true });
    if (path === "fleet") return json(response, this.fleet());
    if (path === "basemaps") return json(response, this.basemaps);
    if (path === "density") return json(response, this.county.density(url.searchParams.get("bbox").split(",").map(Number)));
    if (path.startsWith("tiles/")) return this.tile(response);
    if (path.endsWith("/segments")) return json(response, this.segments(number));
    if (path.endsWith("/track")) return json(response, this.track(this.county.cars.findIndex((car) => path.includes(`${String(car.n).padStart(8, "0")}/`)) + 1 || number));
    if (path === "registers/order") return json(response, this.order(Number(url.searchParams.get("vehicle"))));
    if (path === "registers/zone" && request.method === "GET") return json(response, { items: this.zones });
    if (path.startsWith("registers/zone")) {
      let body = "";
      for await (const piece of request) body += piece;
      if (path.endsWith("/end")) {
        this.zones = this.zones.filter((zone) => zone.id !== number);
        return json(response, { kind: "zone", id: number, version: 9, recorded_at: new Date().toISOString() });
      }
      return this.writeZone(number, JSON.parse(body), response);
    }
    problem(response, 404, "not_found");
  }

  /** A pale square with an edge: enough to see that a base map is drawn. */
  tile(response) {
    response.writeHead(200, { "content-type": "image/png" });
    response.end(TILE);
  }

  async file(response, path) {
    const name = normalize(path === "/" ? "/index.html" : path);
    try {
      const bytes = await readFile(join(this.dist, name));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-security-policy": CONTENT_SECURITY_POLICY });
      response.end(bytes);
    } catch {
      problem(response, 404, "not_found");
    }
  }

  /** Sends everything, then what changed, once a second. */
  feed(socket) {
    socket.send(frame(0, this.county.cars));
    socket.on("message", (text) => {
      JSON.parse(text);
      socket.send(frame(0, this.county.cars));
    });
  }

  /** One second of the county. */
  tick(sockets) {
    const nowS = Math.floor(Date.now() / 1000);
    const cars = this.county.reporting(this.updates);
    for (const car of cars) this.county.drive(car, Math.max(1, nowS - car.fixTimeS), nowS);
    const bytes = frame(1, cars);
    for (const socket of sockets) if (socket.readyState === socket.OPEN) socket.send(bytes);
  }
}

/** Starts the mock; `address` is where it listens. */
export async function startMock({ cars = 253, updates = 60, port = 0, dist = "dist", basemaps = [] } = {}) {
  const mock = new Mock({ cars, updates, dist, basemaps });
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://mock");
    const done = url.pathname.startsWith("/api/v1/") ? mock.api(request, response, url) : mock.file(response, url.pathname);
    done?.catch((error) => problem(response, 500, String(error)));
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (mock.isDown || new URL(request.url, "http://mock").pathname !== "/api/v1/live") return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (opened) => mock.feed(opened));
  });
  const timer = setInterval(() => mock.tick(sockets.clients), 1_000);
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    mock,
    address: `http://127.0.0.1:${server.address().port}`,
    /** Breaks every feed, and refuses new ones until it is up again. */
    setDown(isDown) {
      mock.isDown = isDown;
      if (isDown) for (const socket of sockets.clients) socket.terminate();
    },
    async stop() {
      clearInterval(timer);
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { values } = parseArgs({ options: { cars: { type: "string" }, updates: { type: "string" }, port: { type: "string" }, dist: { type: "string" } } });
  const { address } = await startMock({
    cars: Number(values.cars ?? 253), updates: Number(values.updates ?? 60), port: Number(values.port ?? 0), dist: values.dist ?? "dist",
  });
  console.log(address);
}
