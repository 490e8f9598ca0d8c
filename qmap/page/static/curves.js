// Figures of logs, as the server computed them: `qmap.page.figures` says what is in them.

import { element } from "./common.js";

const WIDTH = 440;
const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 26;
const COLORS = 7; // further agents have the same ones with other dashes
const DASHES = ["", "7 3", "2 2.5", "7 3 2 3"];
const SHARES = [-0.03, 1.03];

// 1500000 is 1.5M, 20000 is 20k.
export function short(value) {
  for (const [size, unit, from] of [[1e9, "G", 1e9], [1e6, "M", 1e6], [1e3, "k", 1e4]]) {
    if (Math.abs(value) >= from) return `${+(value / size).toPrecision(4)}${unit}`;
  }
  return `${+value.toPrecision(4)}`;
}

function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// About `count` round numbers between two.
function ticks(low, high, count, log) {
  const found = [];
  if (log) {
    const factors = high < 500 * low ? [1, 2, 5] : [1];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
      for (const factor of factors) found.push(factor * 10 ** power);
    }
    const inside = found.filter((value) => value >= low && value <= high);
    return inside.filter((_, index) => index % Math.ceil(inside.length / 6) === 0);
  }
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) {
    found.push(Math.abs(value) < step / 1e6 ? 0 : value);
  }
  return found;
}

// Of several lines of an agent, the first are mixed with the paper and the last with the ink.
function color(line, lines) {
  const own = `var(--curve-${line.agent % COLORS})`;
  const mates = lines.filter((each) => each.agent === line.agent);
  if (mates.length < 2) return own;
  const at = (2 * mates.indexOf(line)) / (mates.length - 1) - 1;
  const [other, share] = at < 0 ? ["--card", -55 * at] : ["--text", 45 * at];
  return `color-mix(in srgb, var(${other}) ${Math.round(share)}%, ${own})`;
}

const dashes = (agent) => DASHES[Math.floor(agent / COLORS) % DASHES.length];

function path(points) {
  let text = "";
  let open = false;
  for (const point of points) {
    if (point) text += `${open ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    open = Boolean(point);
  }
  return text;
}

// One panel. The values at a step are read off by pointer or by the arrow keys.
class Chart {
  constructor() {
    this.heading = element("figcaption");
    this.image = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0 });
    this.reading = element("p", { className: "reading dim" });
    this.box = element("figure", { className: "chart" }, this.heading, this.image, this.reading);
    this.at = null; // index of the step that is read off
    this.image.addEventListener("pointermove", (event) => this.point(event));
    this.image.addEventListener("pointerdown", (event) => this.point(event));
    this.image.addEventListener("pointerleave", () => this.read(null));
    this.image.addEventListener("blur", () => this.read(null));
    this.image.addEventListener("keydown", (event) => this.key(event));
  }

  update(panel, figure, log) {
    const lines = panel.lines;
    Object.assign(this, { panel, figure });
    this.heading.textContent = panel.title;
    const names = figure.agents.map((agent) => agent.name).join(", ");
    this.image.setAttribute("aria-label", `${panel.title}, over steps: ${names}. Arrow keys read values.`);
    const values = lines.flatMap((line) => [
      ...line.values, ...(line.rest ?? []), ...(line.companion?.values ?? []),
      ...(line.bands ?? []).flatMap((band) => [...band.low, ...band.high]),
      ...(line.circles ?? []).map((pair) => pair[1]),
    ]).filter((value) => value !== null && (!log || value > 0));
    this.log = log && values.length > 0;
    let low = values.reduce((least, value) => Math.min(least, value), Infinity);
    let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
    this.reading.classList.toggle("empty", !values.length);
    if (!values.length) [low, high] = [0, 1];
    if (panel.share && !this.log) [low, high] = SHARES;
    else if (this.log) [low, high] = [low / 1.1, high * 1.1];
    else {
      const margin = 0.05 * (high - low) || Math.abs(high) / 10 || 1;
      [low, high] = [low - margin, high + margin];
    }
    const last = 1.01 * figure.last || 1;
    const [bottom, top] = this.log ? [Math.log(low), Math.log(high)] : [low, high];
    this.x = (step) => LEFT + (step / last) * (WIDTH - LEFT - RIGHT);
    this.y = (value) => {
      const height = this.log ? Math.log(Math.max(value, low)) : value;
      return HEIGHT - BOTTOM - ((height - bottom) / (top - bottom)) * (HEIGHT - TOP - BOTTOM);
    };
    this.image.replaceChildren();
    this.axes(low, high, last);
    for (const line of lines) this.bands(line, color(line, lines));
    for (const line of lines) this.line(line, color(line, lines));
    this.cursor = shape("g", { class: "cursor" });
    this.image.append(this.cursor);
    this.read(this.at);
  }

  axes(low, high, last) {
    const bottom = HEIGHT - BOTTOM;
    for (const value of ticks(low, high, 6, this.log)) {
      const y = this.y(value);
      this.image.append(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }));
      const label = shape("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" });
      label.textContent = short(value);
      this.image.append(label);
    }
    for (const value of ticks(0, last, 5, false)) {
      const x = this.x(value);
      this.image.append(shape("line", { class: "grid", x1: x, x2: x, y1: TOP, y2: bottom }));
      const label = shape("text", { x, y: bottom + 17, "text-anchor": x > WIDTH - 30 ? "end" : "middle" });
      label.textContent = short(value);
      this.image.append(label);
    }
    this.image.append(shape("path", { class: "axis", d: `M${LEFT} ${TOP}V${bottom}H${WIDTH - RIGHT}` }));
  }

  points(values) {
    return values.map((value, index) => (
      value === null ? null : [this.x(this.figure.steps[index]), this.y(value)]
    ));
  }

  bands(line, ink) {
    for (const band of line.bands ?? []) {
      const low = this.points(band.low);
      const high = this.points(band.high);
      // A band is in as many parts as it has gaps.
      let start = null;
      for (let index = 0; index <= low.length; index += 1) {
        const inside = index < low.length && low[index] && high[index];
        if (inside && start === null) start = index;
        if (!inside && start !== null) {
          const back = low.slice(start, index).reverse();
          const area = shape("path", { d: `${path([...high.slice(start, index), ...back])}Z` });
          area.setAttribute("class", band.label === "extremes" ? "band faint" : "band");
          area.style.fill = ink;
          this.image.append(area);
          start = null;
        }
      }
    }
  }

  line(line, ink) {
    const stroke = (values, kind, dash = dashes(line.agent)) => {
      const drawn = shape("path", { class: `curve ${kind}`, d: path(this.points(values)) });
      drawn.style.stroke = ink;
      drawn.style.strokeDasharray = dash;
      this.image.append(drawn);
    };
    if (line.companion) stroke(line.companion.values, "thin", "2 2");
    if (line.rest) stroke(line.rest, "thin");
    stroke(line.values, "");
    const known = line.values.filter((value) => value !== null);
    if (known.length === 1) this.dot(line.values.findIndex((value) => value !== null), known[0], ink);
    for (const [step, value] of line.ticks ?? []) {
      const [x, y] = [this.x(step), this.y(value)];
      const tick = shape("path", { class: "curve thin", d: `M${x} ${y - 5}V${y + 5}` });
      tick.style.stroke = ink;
      this.image.append(tick);
    }
    for (const [step, value] of line.circles ?? []) {
      const circle = shape("circle", { class: "circle", cx: this.x(step), cy: this.y(value), r: 3 });
      circle.style.stroke = ink;
      this.image.append(circle);
    }
  }

  dot(index, value, ink) {
    const made = shape("circle", { cx: this.x(this.figure.steps[index]), cy: this.y(value), r: 3 });
    made.style.fill = ink;
    this.image.append(made);
  }

  point(event) {
    const box = this.image.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const { steps, last } = this.figure;
    const step = ((x - LEFT) / (WIDTH - LEFT - RIGHT)) * (1.01 * last || 1);
    this.read(Math.round(step / (steps[1] - steps[0])));
  }

  key(event) {
    const known = this.figure.steps.length - 1;
    const by = { ArrowRight: 1, ArrowLeft: -1, PageDown: 20, PageUp: -20 }[event.key];
    if (by) this.read((this.at ?? (by > 0 ? -1 : known)) + by);
    else if (event.key === "Home") this.read(0);
    else if (event.key === "End") this.read(known);
    else if (event.key === "Escape") this.read(null);
    else return;
    event.preventDefault();
  }

  read(index) {
    const { panel, figure } = this;
    this.cursor?.replaceChildren();
    this.reading.textContent = "";
    if (index === null || !figure) {
      this.at = null;
      return;
    }
    this.at = Math.max(0, Math.min(index, figure.steps.length - 1));
    const x = this.x(figure.steps[this.at]);
    if (x > WIDTH - RIGHT) return;
    this.cursor.append(shape("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
    const said = panel.lines.flatMap((line) => {
      const value = line.values[this.at] ?? line.rest?.[this.at] ?? null;
      if (value === null) return [];
      this.cursor.append(shape("circle", { cx: x, cy: this.y(value), r: 3 }));
      const band = line.bands?.at(-1);
      const [low, high] = [band?.low[this.at] ?? null, band?.high[this.at] ?? null];
      const range = low === null ? "" : ` (${short(low)} to ${short(high)})`;
      const several = panel.lines.length > 1;
      const name = several ? `${[figure.agents[line.agent].name, line.run].filter(Boolean).join(", ")}: ` : "";
      return `${name}${short(value)}${range}`;
    });
    this.reading.textContent = [`step ${short(figure.steps[this.at])}`, ...said].join(" · ");
  }
}

// All panels of a log, with a legend; `update` draws them anew.
export class Figure {
  constructor() {
    this.heading = element("h2");
    this.legend = element("ul", { className: "legend" });
    this.grid = element("div", { className: "charts" });
    this.box = element("section", { className: "card stack" }, this.heading, this.legend, this.grid);
    this.charts = new Map();
  }

  update(figure, heading, { log = false } = {}) {
    this.heading.textContent = heading;
    this.legend.replaceChildren(...legend(figure));
    const columns = new Set(figure.panels.map((panel) => panel.column));
    for (const column of this.charts.keys()) if (!columns.has(column)) this.charts.delete(column);
    const boxes = figure.panels.map((panel) => {
      if (!this.charts.has(panel.column)) this.charts.set(panel.column, new Chart());
      const chart = this.charts.get(panel.column);
      chart.update(panel, figure, log);
      return chart.box;
    });
    const same = boxes.length === this.grid.children.length
      && boxes.every((box, index) => box === this.grid.children[index]);
    if (!same) this.grid.replaceChildren(...boxes);
  }
}

function sample(mark) {
  const image = shape("svg", { viewBox: "0 0 28 12", width: 28, height: 12, "aria-hidden": true });
  image.append(mark);
  return image;
}

function legend(figure) {
  const lines = figure.panels.flatMap((panel) => panel.lines);
  const alone = figure.agents.length === 1 && figure.agents[0].runs === 1;
  const entries = (alone ? [] : figure.agents).map((agent, index) => {
    const mark = shape("path", { class: "curve", d: "M0 6H28" });
    mark.style.stroke = `var(--curve-${index % COLORS})`;
    mark.style.strokeDasharray = dashes(index);
    const runs = agent.runs === 1 ? "1 run" : `${agent.runs} runs`;
    return [mark, `${agent.name} (${runs})`];
  });
  const notes = new Map();
  for (const line of lines) {
    for (const band of line.bands ?? []) {
      const kind = band.label === "extremes" ? "note band faint" : "note band";
      notes.set(band.label, shape("rect", { class: kind, x: 0, y: 1, width: 28, height: 10 }));
    }
    if (line.companion) {
      const mark = shape("path", { class: "note curve thin", d: "M0 6H28" });
      mark.style.strokeDasharray = "2 2";
      notes.set(line.companion.label, mark);
    }
    if (line.rest) notes.set("not all of the runs", shape("path", { class: "note curve thin", d: "M0 6H28" }));
    if (line.ticks) notes.set("completed the level", shape("path", { class: "note curve thin", d: "M14 1V11" }));
    if (line.circles) notes.set("unfinished episode", shape("circle", { class: "note circle", cx: 14, cy: 6, r: 3.5 }));
  }
  for (const [text, mark] of notes) entries.push([mark, text]);
  return entries.map(([mark, text]) => element("li", {}, sample(mark), text));
}
