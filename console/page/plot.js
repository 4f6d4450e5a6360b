// A map without tiles: positions on a grid of degrees, drawn on a canvas. It knows nothing of the API.

const PAD = 34;
const ZOOM_MAX = 4e6;

export class Plot {
  constructor(canvas, onPick, onHover) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.points = [];
    this.track = [];
    this.chosen = null;
    this.view = null;
    this.isTouched = false;
    this.onPick = onPick;
    this.onHover = onHover;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  // points: [{ device, lat, lon, state, course }]
  show(points) {
    this.points = points;
    if (!this.isTouched && !this.track.length) this.fit(points);
    this.draw();
  }

  choose(device) {
    this.chosen = device;
    this.draw();
  }

  // track: [{ lat, lon, time, speed }] in order of time; the view goes there when it is not empty.
  showTrack(track) {
    this.track = track;
    if (track.length) {
      this.fit(track);
      this.isTouched = true;
    }
    this.draw();
  }

  fitAll() {
    this.isTouched = false;
    this.fit(this.points);
    this.draw();
  }

  // Centre and scale, in pixels for each degree of latitude.
  fit(points) {
    if (!points.length || !this.width) return;
    let south = 90, north = -90, west = 180, east = -180;
    for (const { lat, lon } of points) {
      south = Math.min(south, lat); north = Math.max(north, lat);
      west = Math.min(west, lon); east = Math.max(east, lon);
    }
    const lat = (south + north) / 2;
    const squeeze = Math.cos(lat * Math.PI / 180) || 1;
    const wide = Math.max((east - west) * squeeze, 0.004);
    const high = Math.max(north - south, 0.004);
    const scale = Math.min((this.width - 2 * PAD) / wide, (this.height - 2 * PAD) / high);
    this.view = { lat, lon: (west + east) / 2, scale, squeeze };
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    const isFirst = !this.width;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (isFirst || !this.isTouched) this.fit(this.points);
    this.draw();
  }

  pixel({ lat, lon }) {
    const { view } = this;
    return [
      this.width / 2 + (lon - view.lon) * view.squeeze * view.scale,
      this.height / 2 - (lat - view.lat) * view.scale,
    ];
  }

  draw() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => { this.isDrawing = false; this.paint(); });
  }

  paint() {
    const { context: c } = this;
    if (!this.width) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    c.clearRect(0, 0, this.width, this.height);
    if (!this.view) return;
    this.paintGrid(c, colour);
    this.paintTrack(c, colour);
    const order = ["offline", "parked", "idle", "moving"];
    for (const state of order) {
      c.fillStyle = c.strokeStyle = colour(state);
      for (const point of this.points) {
        if (point.state === state) this.paintPoint(c, point);
      }
    }
    const chosen = this.points.find((point) => point.device === this.chosen);
    if (chosen) {
      const [x, y] = this.pixel(chosen);
      c.strokeStyle = colour("accent");
      c.lineWidth = 2.5;
      c.beginPath();
      c.arc(x, y, 9, 0, 7);
      c.stroke();
    }
  }

  paintPoint(c, point) {
    const [x, y] = this.pixel(point);
    if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) return;
    c.beginPath();
    if (point.state === "moving" && point.course !== undefined) {
      const turn = point.course * Math.PI / 180;
      const at = (angle, r) => [x + r * Math.sin(turn + angle), y - r * Math.cos(turn + angle)];
      c.moveTo(...at(0, 7.5)); c.lineTo(...at(2.5, 5.5)); c.lineTo(...at(Math.PI, 2)); c.lineTo(...at(-2.5, 5.5));
      c.closePath();
      c.fill();
    } else if (point.state === "offline") {
      c.lineWidth = 1.5;
      c.arc(x, y, 3.2, 0, 7);
      c.stroke();
    } else if (point.state === "moving") {
      c.arc(x, y, 4, 0, 7);
      c.fill();
    } else {
      c.rect(x - 3.2, y - 3.2, 6.4, 6.4);
      c.fill();
    }
  }

  paintTrack(c, colour) {
    if (this.track.length < 2) return;
    c.lineWidth = 2.2;
    c.lineJoin = "round";
    c.strokeStyle = colour("track");
    c.beginPath();
    let before = null;
    for (const fix of this.track) {
      const [x, y] = this.pixel(fix);
      // More than ten minutes without a fix is a gap: nobody knows where the car was.
      if (before && fix.time - before.time <= 600_000) c.lineTo(x, y); else c.moveTo(x, y);
      before = fix;
    }
    c.stroke();
    const mark = (fix, filled) => {
      const [x, y] = this.pixel(fix);
      c.beginPath();
      c.arc(x, y, 5, 0, 7);
      c.fillStyle = filled ? colour("track") : colour("panel");
      c.fill();
      c.stroke();
    };
    mark(this.track[0], false);
    mark(this.track[this.track.length - 1], true);
  }

  paintGrid(c, colour) {
    const { view } = this;
    const step = [5, 2, 1, .5, .2, .1, .05, .02, .01, .005, .002, .001, .0005, .0002, .0001]
      .findLast((degrees) => degrees * view.scale >= 70) ?? 10;
    const digits = Math.max(0, Math.ceil(-Math.log10(step)));
    c.lineWidth = 1;
    c.strokeStyle = colour("grid");
    c.fillStyle = colour("soft");
    c.font = "11px system-ui, sans-serif";
    const half = { lat: this.height / 2 / view.scale, lon: this.width / 2 / view.scale / view.squeeze };
    const line = (...path) => { c.beginPath(); c.moveTo(path[0], path[1]); c.lineTo(path[2], path[3]); c.stroke(); };
    for (let lat = Math.ceil((view.lat - half.lat) / step) * step; lat < view.lat + half.lat; lat += step) {
      const y = Math.round(this.pixel({ lat, lon: view.lon })[1]) + .5;
      line(0, y, this.width, y);
      c.fillText(`${Math.abs(lat).toFixed(digits)}°${lat < 0 ? "S" : "N"}`, 5, y - 4);
    }
    for (let lon = Math.ceil((view.lon - half.lon) / step) * step; lon < view.lon + half.lon; lon += step) {
      const x = Math.round(this.pixel({ lat: view.lat, lon })[0]) + .5;
      line(x, 0, x, this.height);
      if (x > 70) c.fillText(`${Math.abs(lon).toFixed(digits)}°${lon < 0 ? "W" : "E"}`, x + 4, this.height - 6);
    }
    this.paintScale(c, colour);
  }

  paintScale(c, colour) {
    const metre = this.view.scale / 111_320;
    const long = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((e) => n * 10 ** e)).sort((a, b) => a - b)
      .findLast((metres) => metres * metre <= 120) ?? 1;
    const width = long * metre;
    const [x, y] = [this.width - width - 14, 22];
    c.strokeStyle = c.fillStyle = colour("soft");
    c.lineWidth = 1.5;
    c.beginPath();
    c.moveTo(x, y - 4); c.lineTo(x, y); c.lineTo(x + width, y); c.lineTo(x + width, y - 4);
    c.stroke();
    c.textAlign = "center";
    c.fillText(long >= 1000 ? `${long / 1000} km` : `${long} m`, x + width / 2, y - 6);
    c.textAlign = "start";
  }

  near(event) {
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = null, bestDistance = 14 ** 2;
    for (const point of this.points) {
      const [x, y] = this.pixel(point);
      const distance = (x - px) ** 2 + (y - py) ** 2;
      if (distance < bestDistance) { best = point; bestDistance = distance; }
    }
    return best;
  }

  move(dx, dy) {
    if (!this.view) return;
    this.isTouched = true;
    this.view.lon -= dx / this.view.scale / this.view.squeeze;
    this.view.lat = Math.max(-85, Math.min(85, this.view.lat + dy / this.view.scale));
    this.draw();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.view) return;
    const scale = Math.max(4, Math.min(ZOOM_MAX, this.view.scale * factor));
    const real = scale / this.view.scale;
    // The place under the pointer stays where it is.
    this.move((this.width / 2 - x) * (1 - 1 / real) * -1, (this.height / 2 - y) * (1 - 1 / real) * -1);
    this.view.scale = scale;
    this.draw();
  }

  listen() {
    const { canvas } = this;
    let from = null, hasMoved = false;
    canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      hasMoved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.view) return;
      if (!from) return this.onHover(this.near(event), event);
      const [dx, dy] = [event.clientX - from[0], event.clientY - from[1]];
      if (!hasMoved && Math.hypot(dx, dy) < 4) return;
      hasMoved = true;
      from = [event.clientX, event.clientY];
      this.move(dx, dy);
    });
    canvas.addEventListener("pointerup", (event) => {
      from = null;
      const point = !hasMoved && this.view && this.near(event);
      if (point) this.onPick(point.device);
    });
    canvas.addEventListener("pointerleave", () => this.onHover(null));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = 60;
      const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
      if (moves[event.key]) this.move(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoom(1.4);
      else if (event.key === "-") this.zoom(1 / 1.4);
      else return;
      event.preventDefault();
    });
  }
}
