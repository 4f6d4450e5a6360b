import { describe, expect, it } from "vitest";
import { carSizePx, redrawAfterMs } from "./cars-layer";
import { degreeLabel, graticule, scaleBar, stepDeg, ticks } from "./graticule";
import { placeLabels } from "./labels";
import { finestLevel, roadPicture } from "./roads";
import { mapStyle } from "./style";
import { Trail, type TrackFix } from "./track";

const fix = (atS: number, lon: number, lat: number, speedKmh: number): TrackFix => ({
  atMs: atS * 1000,
  lon,
  lat,
  speedKmh,
  courseDeg: 0,
});

describe("graticule", () => {
  it("takes a step that gives enough lines, at round degrees", () => {
    const box = { west: 102.03, south: 24.9, east: 103.31, north: 25.7 };
    expect(stepDeg(box, 1280)).toBe(0.2);
    expect(stepDeg(box, 390)).toBe(0.5);
    expect(ticks(102.03, 102.71, 0.2).map((tick) => degreeLabel(tick, 0.2, "lon"))).toEqual([
      "102.2°E",
      "102.4°E",
      "102.6°E",
    ]);
    expect(degreeLabel(-33.5, 0.5, "lat")).toBe("33.5°S");
    for (const { geometry } of graticule(box, 1280).features) expect(geometry.coordinates).toHaveLength(2);
    expect(graticule({ west: -200, south: -89, east: 200, north: 89 }, 1280).features.length).toBeGreaterThan(4);
  });

  it("shows the longest round distance that fits", () => {
    const { metres, widthPx } = scaleBar(12, 25, 120);
    expect([1, 2, 5]).toContain(Number(String(metres)[0]));
    expect(widthPx).toBeLessThanOrEqual(120);
    expect(widthPx).toBeGreaterThan(45);
  });
});

describe("cars", () => {
  it("grow with the zoom, and are drawn as often as their motion can be seen", () => {
    const sizes = [2, 5, 9, 11, 13, 15, 18, 22].map(carSizePx);
    expect([...sizes].sort((a, b) => a - b)).toEqual(sizes);
    // 72 km/h at zoom 18: 0.3 m a pixel, so every frame; at zoom 9: 153 m a pixel, so once a second.
    expect(redrawAfterMs(72, 18, 0)).toBeLessThan(17);
    expect(redrawAfterMs(72, 9, 0)).toBe(1_000);
    expect(redrawAfterMs(0, 18, 0)).toBe(1_000);
  });
});

describe("track", () => {
  it("trails behind a car with what was before in front, and no more than its length", () => {
    const trail = new Trail(4);
    expect(trail.add(10_000, [110.5, 30])).toBe(true);
    expect(trail.add(10_000, [110.6, 30])).toBe(false);
    expect(trail.add(11_000, [110.5, 30])).toBe(false);
    trail.add(20_000, [110.6, 30]);
    trail.begin([fix(0, 110.3, 30, 0), fix(5, 110.4, 30, 0), fix(15, 110.55, 30, 0)]);
    expect(trail.points.map(({ atMs }) => atMs)).toEqual([0, 5_000, 10_000, 20_000]);
    trail.add(30_000, [110.7, 30]);
    expect(trail.points).toHaveLength(4);
    expect(trail.line("wgs84", [111, 30]).features[0]?.geometry).toMatchObject({ type: "LineString" });
  });
});

describe("labels", () => {
  it("do not cover each other; the chosen one is always there", () => {
    const wish = (slot: number, x: number, isChosen = false) => ({
      slot,
      text: "云XA0001",
      x,
      y: 100,
      offset: 10,
      isChosen,
    });
    const placed = placeLabels([wish(1, 50), wish(2, 60), wish(3, 200), wish(4, 62, true)], () => 60, 10);
    expect(placed.map((label) => label.slot)).toEqual([4, 3]);
    expect(placeLabels([wish(1, 0), wish(2, 300), wish(3, 600)], () => 60, 2)).toHaveLength(2);
  });
});

describe("roads", () => {
  it("become a picture with a rim, stronger where more cars passed", () => {
    const level = 18;
    const [column, row] = [200_000, 110_000];
    const picture = roadPicture({ level, cells: [column, row, 900, column + 1, row, 3] }, 21, [10, 20, 30], "wgs84");
    expect([picture?.width, picture?.height]).toEqual([4, 3]);
    const opacity = (x: number, y: number): number => picture!.pixels[(y * 4 + x) * 4 + 3]!;
    expect(opacity(1, 1)).toBeGreaterThan(opacity(2, 1));
    expect(opacity(0, 0)).toBe(0);
    expect(opacity(1, 0)).toBeGreaterThan(0);
    expect(picture!.corners[0][0]).toBeCloseTo(((column - 1) / 2 ** level) * 360 - 180, 9);
    expect(finestLevel(9.5)).toBe(19);
    const far = roadPicture({ level: 21, cells: [0, 0, 5, 2 ** 20, 7, 9] }, 21, [0, 0, 0], "wgs84");
    expect(Math.max(far!.width, far!.height)).toBeLessThanOrEqual(2_051);
    expect(roadPicture({ level, cells: [] }, 21, [0, 0, 0], "wgs84")).toBeNull();
  });
});

describe("style", () => {
  const base = {
    id: "a",
    name: "a",
    tiles: ["/api/v1/tiles/a/{z}/{x}/{y}"],
    crs: "wgs84",
    attribution: "©",
    min_zoom: 1,
    max_zoom: 18,
  } as const;

  it("loads nothing by itself and asks for no glyphs", () => {
    const style = mapStyle(null, false);
    expect(style.glyphs).toBeUndefined();
    expect(style.sprite).toBeUndefined();
    expect(JSON.stringify(style)).not.toMatch(/https?:/);
  });

  it("draws no boundary of any base map", () => {
    const drawn = (kind: string): string[] =>
      mapStyle({ ...base, kind, tiles: [...base.tiles] }, true).layers.map((layer) =>
        "source-layer" in layer ? (layer["source-layer"] ?? "") : layer.id,
      );
    expect(drawn("pmtiles").join()).not.toMatch(/bound|admin|border|disput/);
    expect(drawn("pmtiles")).toContain("water");
    expect(drawn("raster")).toContain("base");
  });
});
