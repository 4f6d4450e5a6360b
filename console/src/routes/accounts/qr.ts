import qrcode from "qrcode-generator";

/** A QR code as one path of a drawing of `size` by `size`, its quiet zone included. */
export interface QrDrawing {
  size: number;
  path: string;
}

/** Modules that must stay white around the code (ISO/IEC 18004). */
const QUIET = 4;

/** Draws a text here, in the page: a secret goes to no service that draws codes. */
export function drawQr(text: string): QrDrawing {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const count = code.getModuleCount();
  let path = "";
  for (let row = 0; row < count; row += 1) {
    for (let column = 0; column < count; column += 1) {
      if (code.isDark(row, column)) path += `M${column + QUIET} ${row + QUIET}h1v1h-1z`;
    }
  }
  return { size: count + 2 * QUIET, path };
}
