// What is drawn: the screen, a map over it, the goal and the way there.

import { element } from "./common.js";

const POSITION = "#40d6ff";
const GOAL = "#ff4868";
const CANDIDATES = [255, 214, 64];
const WIDTH = 960; // pixels of the canvas, about

// A message of the server, see qmap/page/picture.py: length, text, maps, PNG.
export async function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const words = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const maps = {};
  let offset = 4 + length;
  for (const [name, [rows, cols]] of Object.entries(words.maps)) {
    maps[name] = { rows, cols, values: new Uint16Array(buffer, offset, rows * cols) };
    offset += 2 * rows * cols;
  }
  const png = new Blob([new Uint8Array(buffer, offset)], { type: "image/png" });
  return { words, maps, screen: await createImageBitmap(png) };
}

// Steps that a value stands for, value = gamma ** (steps - 1).
export const stepsOf = (value, gamma) => Math.log(Math.max(value, 1e-9)) / Math.log(gamma) + 1;

export class Scene {
  // `kind` is "best" for what the agent believes, "true" for what is true.
  constructor(view, kind) {
    this.view = view;
    this.kind = kind;
    this.strength = 0.65;
    this.cursor = null; // the cell that is chosen by keyboard, [row, column] on the screen
    this.hovered = null;
    this.small = document.createElement("canvas");
    this.canvas = element("canvas", kind === "best"
      ? { tabIndex: 0, "aria-label": "The game. Click a place for the agent to go there; Shift and arrow keys choose a place, Enter goes." }
      : { "aria-label": "The true distances." });
    this.brush = this.canvas.getContext("2d");
  }

  get map() {
    const { maps } = this.view.picture;
    if (this.kind === "true") return maps.true;
    if (["values", "none"].includes(this.view.state?.map)) return null;
    return maps.shown ?? maps.best;
  }

  draw() {
    const { picture: { words, screen }, world } = this.view;
    const scale = Math.max(1, Math.round(WIDTH / screen.width));
    const [width, height] = [screen.width * scale, screen.height * scale];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      Object.assign(this.canvas, { width, height });
      // As large as fits, with the lines above and below it on the screen too.
      this.canvas.style.width = `min(100%, calc(max(320px, 100vh - 320px) * ${width / height}))`;
    }
    // Pixels of the canvas to one of the page, so that lines and text are as large on a phone.
    this.unit = Math.max(1, width / (this.canvas.clientWidth || width));
    this.cell = world.cell.map((side) => side * scale); // height, width
    this.brush.imageSmoothingEnabled = false;
    this.brush.drawImage(screen, 0, 0, width, height);
    if (this.map) this.drawMap(this.map);
    if (words.way) this.drawWay(words.way);
    this.box(words.place, POSITION);
    if (words.goal) this.box(words.goal, GOAL);
    if (this.cursor) this.box(this.cursor, "#ffffff");
    if (this.hovered) this.tell(this.hovered);
  }

  drawMap({ rows, cols, values }) {
    const { view: { state, table }, small } = this;
    if (small.width !== cols || small.height !== rows) Object.assign(small, { width: cols, height: rows });
    const brush = small.getContext("2d");
    const image = brush.createImageData(cols, rows);
    const chosen = this.kind === "best" && state?.map === "candidates";
    for (let index = 0; index < values.length; index++) {
      const value = values[index] / 65535;
      const [red, green, blue] = chosen ? CANDIDATES : table[Math.round(value * 255)];
      // What is near hides what is below it, what is far leaves the screen to be seen.
      const opaque = chosen ? value : value ** 0.4;
      image.data.set([red, green, blue, 255 * opaque * this.strength], 4 * index);
    }
    brush.putImageData(image, 0, 0);
    const [height, width] = this.cell;
    this.brush.drawImage(small, 0, 0, cols * width, rows * height);
  }

  drawWay(way) {
    const points = way.map(([row, col]) => [(col + 0.5) * this.cell[1], (row + 0.5) * this.cell[0]]);
    const { brush } = this;
    brush.lineJoin = brush.lineCap = "round";
    for (const [color, width] of [["#000000", 5], ["#ffffff", 2.25]]) {
      brush.strokeStyle = color;
      brush.lineWidth = width * this.unit;
      brush.beginPath();
      points.forEach(([x, y], index) => (index ? brush.lineTo(x, y) : brush.moveTo(x, y)));
      brush.stroke();
    }
  }

  box([row, col], color) {
    const [height, width] = this.cell;
    const { brush } = this;
    for (const [line, thick] of [["#000000", 5], [color, 2.5]]) {
      brush.strokeStyle = line;
      brush.lineWidth = thick * this.unit;
      brush.strokeRect(col * width, row * height, width, height);
    }
  }

  // How many steps away a cell is believed to be, beside it.
  tell([row, col]) {
    const best = this.kind === "true" ? this.view.picture.maps.true : this.view.picture.maps.best;
    if (!best || row >= best.rows || col >= best.cols) return;
    const value = best.values[row * best.cols + col] / 65535;
    const steps = stepsOf(value, this.view.world.gamma);
    const text = value < 1e-4 ? "no way believed" : `${steps.toFixed(steps < 10 ? 1 : 0)} steps`;
    const { brush, canvas, unit } = this;
    brush.font = `600 ${14 * unit}px videos, system-ui, sans-serif`;
    const [width, height] = [brush.measureText(text).width + 12 * unit, 22 * unit];
    const x = Math.min(Math.max((col + 1) * this.cell[1] + 4 * unit, 0), canvas.width - width);
    const y = Math.min(Math.max(row * this.cell[0] - height - 2 * unit, 0), canvas.height - height);
    brush.fillStyle = "#181a1fdd";
    brush.fillRect(x, y, width, height);
    brush.fillStyle = "#e2e4e9";
    brush.fillText(text, x + 6 * unit, y + 16 * unit);
  }

  // The cell below a pointer, [row, column] on the screen.
  cellAt({ clientX, clientY }) {
    const place = this.canvas.getBoundingClientRect();
    const x = ((clientX - place.left) / place.width) * this.canvas.width;
    const y = ((clientY - place.top) / place.height) * this.canvas.height;
    return [Math.floor(y / this.cell[0]), Math.floor(x / this.cell[1])];
  }

  // A cell of the screen as a cell of the world.
  inWorld([row, col]) {
    return { row, col: col + this.view.picture.words.window };
  }
}

// The task's values of the actions.
export class Bars {
  constructor(view) {
    this.view = view;
    this.element = element("div", { className: "bars" });
  }

  draw() {
    const { picture: { words: { values } }, world } = this.view;
    this.element.hidden = !values;
    if (!values) return;
    const [least, most] = [Math.min(...values, 0), Math.max(...values, 0)];
    this.element.replaceChildren(...values.flatMap((value, action) => [
      element("span", { textContent: world.actions[action] }),
      element("meter", {
        min: 0, max: Math.max(most - least, 1e-9), value: value - least,
        "aria-label": `value of ${world.actions[action]}`,
      }),
      element("span", {
        className: value === most ? "best" : "dim",
        textContent: value.toPrecision(3) + (value === most ? " best" : ""),
      }),
    ]));
  }
}
