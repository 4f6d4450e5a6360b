/**
 * Which plates are written beside their cars, and where: as many as fit without covering each other, the chosen one always.
 *
 * Pure: it gets places on the screen and gives boxes; the canvas is drawn elsewhere.
 */

export interface LabelWish {
  slot: number;
  text: string;
  x: number;
  y: number;
  /** Distance of the text from the car's middle. */
  offset: number;
  isChosen: boolean;
}

export interface Label {
  slot: number;
  text: string;
  left: number;
  top: number;
  width: number;
  height: number;
  isChosen: boolean;
}

/** From this zoom on plates are shown. */
export const PLATES_FROM_ZOOM = 12.5;
export const LABEL_HEIGHT_PX = 16;
const PADDING_PX = 4;
/** Cells of the occupancy grid, pixels. */
const CELL_PX = 16;

/** Places the labels; who comes first has the place. Put those that matter first, and the same ones first every time. */
export function placeLabels(wishes: readonly LabelWish[], widthOf: (text: string) => number, limit: number): Label[] {
  const taken = new Set<number>();
  const placed: Label[] = [];
  const inOrder = [...wishes.filter((wish) => wish.isChosen), ...wishes.filter((wish) => !wish.isChosen)];
  for (const wish of inOrder) {
    if (placed.length >= limit) break;
    const width = widthOf(wish.text) + PADDING_PX * 2;
    const label = {
      ...wish,
      left: wish.x + wish.offset,
      top: wish.y - LABEL_HEIGHT_PX / 2,
      width,
      height: LABEL_HEIGHT_PX,
    };
    const cells = cellsOf(label);
    if (!wish.isChosen && cells.some((cell) => taken.has(cell))) continue;
    for (const cell of cells) taken.add(cell);
    placed.push(label);
  }
  return placed;
}

function cellsOf({ left, top, width, height }: { left: number; top: number; width: number; height: number }): number[] {
  const cells: number[] = [];
  for (let row = Math.floor(top / CELL_PX); row <= Math.floor((top + height) / CELL_PX); row += 1) {
    for (let column = Math.floor(left / CELL_PX); column <= Math.floor((left + width) / CELL_PX); column += 1) {
      cells.push(row * 65_536 + column);
    }
  }
  return cells;
}

export const LABEL_PADDING_PX = PADDING_PX;
