import { projector, type Metres, type Place } from "../../replay/geo";

/** What of the flat picture is in sight. */
export interface MapView {
  origin: Place;
  /** Metres from the origin that are in the middle. */
  centre: Metres;
  pixelsPerMetre: number;
}

const CLOSEST = 4;
const WIDEST = 0.0005;
/** A parked car is shown with this much around it. */
const LEAST_METRES = 400;
const MARGIN_PX = 44;

const clamp = (scale: number): number => Math.min(CLOSEST, Math.max(WIDEST, scale));

/** The view that shows all places. */
export function fitted(places: readonly Place[], width: number, height: number): MapView {
  const first = places[0] ?? { lat: 0, lon: 0 };
  const box = { west: first.lon, east: first.lon, south: first.lat, north: first.lat };
  for (const { lat, lon } of places) {
    box.west = Math.min(box.west, lon);
    box.east = Math.max(box.east, lon);
    box.south = Math.min(box.south, lat);
    box.north = Math.max(box.north, lat);
  }
  const origin = { lat: (box.south + box.north) / 2, lon: (box.west + box.east) / 2 };
  const corner = projector(origin)({ lat: box.north, lon: box.east });
  const across = Math.max(LEAST_METRES, corner.x * 2);
  const down = Math.max(LEAST_METRES, corner.y * 2);
  const scale = Math.min((width - 2 * MARGIN_PX) / across, (height - 2 * MARGIN_PX) / down);
  return { origin, centre: { x: 0, y: 0 }, pixelsPerMetre: clamp(scale) };
}

export function panned(view: MapView, x: number, y: number): MapView {
  const { centre, pixelsPerMetre } = view;
  return { ...view, centre: { x: centre.x - x / pixelsPerMetre, y: centre.y + y / pixelsPerMetre } };
}

/** Closer or wider around a point of the picture. */
export function zoomedAt(view: MapView, width: number, height: number, x: number, y: number, factor: number): MapView {
  const scale = clamp(view.pixelsPerMetre * factor);
  const [dx, dy] = [x - width / 2, y - height / 2];
  const gain = 1 / view.pixelsPerMetre - 1 / scale;
  return { ...view, pixelsPerMetre: scale, centre: { x: view.centre.x + dx * gain, y: view.centre.y - dy * gain } };
}

/** From a place to a point of the picture. */
export function onScreen(view: MapView, width: number, height: number): (place: Place) => Metres {
  const project = projector(view.origin);
  return (place) => {
    const { x, y } = project(place);
    return {
      x: width / 2 + (x - view.centre.x) * view.pixelsPerMetre,
      y: height / 2 - (y - view.centre.y) * view.pixelsPerMetre,
    };
  };
}

/** A round length for the scale bar, at most so many pixels long. */
export function scaleBar(pixelsPerMetre: number, most: number): { metres: number; pixels: number } {
  const exact = most / pixelsPerMetre;
  const power = 10 ** Math.floor(Math.log10(exact));
  const metres = ([5, 2, 1].find((step) => step * power <= exact) ?? 1) * power;
  return { metres, pixels: metres * pixelsPerMetre };
}
