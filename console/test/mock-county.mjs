/** A made-up county whose cars drive on made-up roads: what the mock server serves. The same for the same seed. */

const CENTRE = { lon: 103.24, lat: 25.42 };
const COLUMNS = 46;
const ROWS = 34;
const SPACING_DEG = 0.011;
/** What a degree of latitude is in metres. */
const DEGREE_M = 111_320;

export const State = { offline: 0, parked: 1, idle: 2, moving: 3, noPosition: 4 };

/** A linear congruential generator: good enough for scenery, and the same everywhere. */
export function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

/** A town in the middle, lanes around it: crossings and the streets between them. */
function roads(next) {
  const nodes = [];
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const [u, v] = [column - COLUMNS / 2, row - ROWS / 2];
      const spread = 0.45 + Math.hypot(u, v) / 26;
      nodes.push({
        lon: CENTRE.lon + (u * spread + (next() - 0.5) * 0.55) * SPACING_DEG,
        lat: CENTRE.lat + (v * spread + (next() - 0.5) * 0.55) * SPACING_DEG,
        edges: [],
      });
    }
  }
  const join = (a, b, weight) => {
    nodes[a].edges.push({ to: b, weight });
    nodes[b].edges.push({ to: a, weight });
  };
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const at = row * COLUMNS + column;
      const isMain = row % 6 === 3 || column % 8 === 4;
      const away = Math.hypot(column - COLUMNS / 2, row - ROWS / 2) / 26;
      if (column + 1 < COLUMNS && (row % 6 === 3 || next() > 0.15 + away * 0.6)) join(at, at + 1, row % 6 === 3 ? 6 : 1);
      if (row + 1 < ROWS && (column % 8 === 4 || next() > 0.15 + away * 0.6)) join(at, at + COLUMNS, isMain && column % 8 === 4 ? 6 : 1);
    }
  }
  return nodes;
}

const BUREAUS = ["水利局", "教育局", "卫健局", "农业农村局", "交通运输局", "自然资源局", "民政局", "住建局", "应急管理局", "林草局", "文旅局", "市场监管局"];
const BELOW = ["执法队", "服务中心", "河道所", "质监站"];
const TOWNS = ["青石镇", "柳溪镇", "白云乡", "东山镇", "南坪乡", "金竹镇", "石桥乡", "龙潭镇"];
const SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林";
const GIVEN = ["建国", "秀英", "伟", "敏", "志强", "丽华", "勇", "晓东", "国平", "海燕", "文斌", "春梅"];
const CLASSES = ["confidential", "emergency", "law_enforcement", "special", "other"];

function units() {
  const list = [{ id: 1, name: "云山县（演示）", parent: null }];
  let id = 2;
  for (const name of BUREAUS) {
    const bureau = id++;
    list.push({ id: bureau, name: `县${name}`, parent: 1 });
    for (const below of BELOW.slice(0, 1 + (bureau % 4))) list.push({ id: id++, name: `${name}${below}`, parent: bureau });
  }
  for (const name of TOWNS) list.push({ id: id++, name: `${name}人民政府`, parent: 1 });
  return list;
}

export class County {
  constructor({ cars = 253, seed = 7 } = {}) {
    this.next = numbers(seed);
    this.nodes = roads(this.next);
    this.units = units();
    this.cars = Array.from({ length: cars }, (_, at) => this.#car(at));
    this.turn = 0;
  }

  #car(at) {
    const next = this.next;
    let node = Math.floor(next() * this.nodes.length);
    // Most cars are in town.
    if (next() < 0.6) node = (Math.floor(ROWS * (0.3 + next() * 0.4)) * COLUMNS + Math.floor(COLUMNS * (0.3 + next() * 0.4)));
    const roll = next();
    const state = roll < 0.46 ? State.moving : roll < 0.56 ? State.idle : roll < 0.9 ? State.parked : roll < 0.985 ? State.offline : State.noPosition;
    // Not every crossing has a street.
    while (this.nodes[node].edges.length === 0) node = (node + 1) % this.nodes.length;
    const from = this.nodes[node];
    const edge = from.edges[Math.floor(next() * from.edges.length)];
    return {
      n: at + 1,
      unit: this.units[1 + Math.floor(next() ** 1.4 * (this.units.length - 1))].id,
      plate: `云Z${String(10_000 + at)}`,
      driver: state === State.parked && next() < 0.5 ? "" : SURNAMES[Math.floor(next() * SURNAMES.length)] + GIVEN[Math.floor(next() * GIVEN.length)],
      class: CLASSES[Math.floor(next() * CLASSES.length)],
      state, from: node, to: edge.to, share: next(), speedKmh: state === State.moving ? 18 + next() * 55 : 0,
      lon: from.lon, lat: from.lat, course: Math.floor(next() * 360), fixTimeS: 0,
    };
  }

  /** Drives one car for so many seconds. */
  drive(car, seconds, nowS) {
    if (car.state === State.moving) {
      let metres = (car.speedKmh / 3.6) * seconds;
      for (;;) {
        const [a, b] = [this.nodes[car.from], this.nodes[car.to]];
        const length = Math.hypot((b.lon - a.lon) * Math.cos((a.lat * Math.PI) / 180), b.lat - a.lat) * DEGREE_M + 1;
        const left = (1 - car.share) * length;
        if (metres < left) {
          car.share += metres / length;
          break;
        }
        metres -= left;
        this.#turn(car);
      }
      car.speedKmh = Math.min(88, Math.max(8, car.speedKmh + (this.next() - 0.5) * 8));
    }
    this.place(car);
    if (car.state !== State.offline) car.fixTimeS = nowS;
  }

  #turn(car) {
    const node = this.nodes[car.to];
    const ways = node.edges.filter((edge) => edge.to !== car.from);
    const total = ways.reduce((sum, way) => sum + way.weight, 0);
    let roll = this.next() * total;
    const way = ways.find((each) => (roll -= each.weight) <= 0) ?? { to: car.from };
    [car.from, car.to, car.share] = [car.to, way.to, 0];
  }

  place(car) {
    const [a, b] = [this.nodes[car.from], this.nodes[car.to]];
    car.lon = a.lon + (b.lon - a.lon) * car.share;
    car.lat = a.lat + (b.lat - a.lat) * car.share;
    const east = (b.lon - a.lon) * Math.cos((a.lat * Math.PI) / 180);
    if (car.state === State.moving) car.course = ((Math.atan2(east, b.lat - a.lat) * 180) / Math.PI + 360) % 360;
  }

  /** The cars whose turn it is to report, the next `count` of those that move. */
  reporting(count) {
    const found = [];
    for (let looked = 0; looked < this.cars.length && found.length < count; looked += 1) {
      const car = this.cars[this.turn];
      this.turn = (this.turn + 1) % this.cars.length;
      if (car.state === State.moving) found.push(car);
    }
    return found;
  }

  /** Roads as `/density` gives them: cells of level 21 and how often they were passed. */
  density([west, south, east, north]) {
    const side = 2 ** 21;
    const column = (lon) => Math.floor(((lon + 180) / 360) * side);
    const row = (lat) => Math.floor((0.5 - Math.atanh(Math.sin((lat * Math.PI) / 180)) / (2 * Math.PI)) * side);
    const passages = new Map();
    this.nodes.forEach((a, from) => {
      for (const { to, weight } of a.edges) {
        if (to < from) continue;
        const b = this.nodes[to];
        const [x1, y1, x2, y2] = [column(a.lon), row(a.lat), column(b.lon), row(b.lat)];
        const steps = Math.max(Math.abs(x2 - x1), Math.abs(y2 - y1), 1);
        for (let step = 0; step <= steps; step += 1) {
          const cell = `${Math.round(x1 + ((x2 - x1) * step) / steps)},${Math.round(y1 + ((y2 - y1) * step) / steps)}`;
          passages.set(cell, (passages.get(cell) ?? 0) + weight * 9);
        }
      }
    });
    const [left, right, top, bottom] = [column(west), column(east), row(north), row(south)];
    const cells = [];
    for (const [cell, count] of passages) {
      const [x, y] = cell.split(",").map(Number);
      if (x >= left && x <= right && y >= top && y <= bottom) cells.push(x, y, count);
    }
    return { level: 21, cells, is_cut: false };
  }
}

const e7 = (lon, lat) => ({ lat_e7: Math.round(lat * 1e7), lon_e7: Math.round(lon * 1e7) });

/** Zones of every shape around the middle of the county. */
export function zones(county) {
  const { lon, lat } = CENTRE;
  const at = (dx, dy) => e7(lon + dx, lat + dy);
  const ring = (...corners) => corners.map(([dx, dy]) => at(dx, dy));
  const base = { unit: null, source: "演示", accuracy_m: 30 };
  const shapes = [
    ["机关大院停车场", { use: "depot" }, { shape: "circle", centre: at(0.004, 0.006), radius_m: 260 }],
    ["水利局定点停放", { use: "depot" }, { shape: "circle", centre: at(-0.021, 0.011), radius_m: 180 }],
    ["城区夜间停车点", { use: "parking_lot" }, { shape: "polygons", polygons: [[ring([0.02, -0.004], [0.027, -0.004], [0.027, 0.001], [0.02, 0.001])]] }],
    ["云山县行政区域（示意）", { use: "service_area" }, { shape: "polygons", polygons: [[ring([-0.28, -0.2], [-0.05, -0.25], [0.24, -0.21], [0.31, 0.02], [0.22, 0.2], [-0.06, 0.24], [-0.3, 0.15])]] }],
    ["翠湖度假区", { use: "sensitive", of: "scenic_spot" }, { shape: "polygons", polygons: [[
      ring([-0.014, -0.028], [0.006, -0.031], [0.014, -0.019], [0.004, -0.011], [-0.012, -0.015]),
      ring([-0.005, -0.025], [0.004, -0.025], [0.004, -0.018], [-0.004, -0.018])]] }],
    ["龙泉会所", { use: "sensitive", of: "club" }, { shape: "circle", centre: at(0.034, 0.017), radius_m: 120 }],
    ["禁行水库路", { use: "forbidden" }, { shape: "corridor", line: [at(-0.03, -0.006), at(-0.024, -0.012), at(-0.02, -0.021), at(-0.021, -0.03)], half_width_m: 60 }],
  ];
  return shapes.map(([name, kind, shape], index) => ({
    id: index + 1, version: 1, recorded_at: "2026-09-01T00:00:00Z", recorded_by: "mock",
    row: { ...base, name, kind, shape, unit: county.units[1 + index].id },
  }));
}
