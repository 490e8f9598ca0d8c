// The switches of Play, and what a pointer does on the game.

import { element, fileAddress } from "./common.js";

const SPEEDS = [null, 1, 2, 5, 10, 15, 30, 60, 0];
const DRIVERS = {
  nothing: "nothing: waits for a click",
  goals: "goals: one after the other",
  task: "the task, greedily",
  policy: "the training's policy",
};
const MAPS = {
  best: "Q-map, best action",
  action: "Q-frame of one action",
  candidates: "candidates for goals",
  values: "the task's values",
  none: "nothing",
};
const POINTERS = { go: "go there", build: "build walls", clear: "take walls away" };

function labelled(text, ...controls) {
  return element("label", { className: "control" }, element("span", { className: "dim", textContent: text }), ...controls);
}

function select(name, onchange) {
  const made = element("select", { id: name });
  made.addEventListener("change", () => onchange(made.value));
  return made;
}

function fill(list, options) {
  list.replaceChildren(...Object.entries(options).map(([value, textContent]) =>
    element("option", { value, textContent })));
}

const named = (names, titles = {}) => Object.fromEntries(names.map((name) => [name, titles[name] ?? name]));

export class Controls {
  constructor(view, scene) {
    const { send } = view;
    this.view = view;
    this.scene = scene;
    this.checkpoint = select("checkpoint", (checkpoint) => checkpoint && send({ do: "open", checkpoint }));
    this.level = select("level", (level) => send({ do: "level", level }));
    this.levels = labelled("level", this.level);
    this.top = element("div", { className: "row top" }, labelled("checkpoint", this.checkpoint), this.levels);
    this.drive = select("drive", (by) => send({ do: "drive", by }));
    this.map = select("map", () => this.show());
    this.action = select("action", () => this.show());
    this.actions = labelled("action", this.action);
    this.strength = element("input", { type: "range", id: "strength", min: 0, max: 1, step: 0.05, value: scene.strength });
    this.strength.addEventListener("input", () => {
      scene.strength = Number(this.strength.value);
      scene.onChange();
    });
    this.speed = element("input", { type: "range", id: "speed", min: 0, max: SPEEDS.length - 1, step: 1 });
    this.speedText = element("output", { htmlFor: "speed" });
    this.speed.addEventListener("input", () => send({ do: "speed", speed: SPEEDS[this.speed.value] }));
    this.step = element("button", { id: "step", textContent: "Step", title: "one step" });
    this.step.addEventListener("click", () => send({ do: "step" }));
    this.restart = element("button", { id: "restart", textContent: "Restart" });
    this.restart.addEventListener("click", () => send({ do: "restart" }));
    this.record = element("button", { id: "record", "aria-pressed": false });
    this.record.addEventListener("click", () => send({ do: "record", on: !view.state.recording }));
    this.pointer = select("pointer", () => {});
    fill(this.pointer, POINTERS);
    this.truth = element("input", { type: "checkbox", id: "truth" });
    this.truth.addEventListener("change", () => send({ do: "truth", on: this.truth.checked }));
    this.walls = element("div", { className: "stack" }, labelled("the pointer on the game", this.pointer),
      element("label", { className: "row" }, this.truth, "true distances beside it"));
    this.recorded = element("div", { className: "stack recorded" });
    this.mapScale = element("div", { className: "map-scale" });
    this.side = element("div", { className: "card stack controls" },
      labelled("drives", this.drive),
      labelled("map", this.map), this.actions,
      labelled("strength of the map", this.strength), this.mapScale,
      labelled("speed", this.speed, this.speedText),
      element("div", { className: "row" }, this.step, this.restart, this.record),
      this.walls, this.recorded);
    this.point(scene.canvas);
  }

  list(checkpoints) {
    fill(this.checkpoint, { "": "choose a checkpoint", ...named(checkpoints) });
    this.checkpoint.value = this.name ?? "";
  }

  opened(name) {
    this.name = name;
    this.checkpoint.value = name ?? "";
    this.levels.hidden = true;
  }

  world() {
    const { world } = this.view;
    fill(this.level, named(world.levels));
    this.levels.hidden = !world.levels.length;
    fill(this.drive, named(world.drivers, DRIVERS));
    fill(this.map, named(world.maps, MAPS));
    fill(this.action, { ...world.actions });
    this.walls.hidden = !world.has_walls;
    this.mapScale.hidden = !world.has_map;
    this.record.title = world.demonstrations
      ? "a video from here on, and a demonstration: all actions since the episode began"
      : "a video from here on; no demonstration, since this world cannot be played again action by action";
    this.drawLegend();
  }

  state() {
    const { state } = this.view;
    this.drive.value = state.drive;
    this.map.value = state.map;
    this.action.value = state.action;
    this.actions.hidden = state.map !== "action";
    this.level.value = state.level;
    this.truth.checked = state.truth;
    this.speed.value = SPEEDS.indexOf(state.speed);
    const words = { null: "step by step", 0: "as fast as it goes" };
    this.speedText.textContent = words[state.speed] ?? `${state.speed} steps/s`;
    this.speed.setAttribute("aria-valuetext", this.speedText.textContent);
    this.record.setAttribute("aria-pressed", state.recording);
    this.record.textContent = state.recording ? "■ Stop" : "● Record";
    const recorded = JSON.stringify(state.recorded);
    if (recorded !== this.shown) {
      this.shown = recorded;
      this.recorded.replaceChildren(...state.recorded.map((each) => this.film(each)).reverse());
    }
  }

  // A video that was recorded, and the file of its actions.
  film({ video, actions, steps }) {
    const title = video.split("/").at(-1);
    const made = element("figure", { className: "film" },
      element("video", { src: fileAddress(video), controls: true, muted: true, "aria-label": title }));
    const caption = element("figcaption", { className: "dim" });
    if (actions) {
      const link = element("a", { href: fileAddress(actions), download: actions.split("/").at(-1) });
      link.textContent = `demonstration: ${steps.toLocaleString("en")} ${steps === 1 ? "action" : "actions"}`;
      link.title = "for python -m qmap.train_demonstration --demo";
      caption.append(link);
    } else if (this.view.world.demonstrations) {
      caption.textContent = "no demonstration: chance played a part, it would not replay";
    }
    if (caption.textContent) made.append(caption);
    return made;
  }

  pictured() {
    if (!this.view.table || this.mapScale.firstChild?.dataset.drawn) return;
    this.drawLegend();
  }

  show() {
    this.view.send({ do: "map", map: this.map.value, action: Number(this.action.value) });
  }

  // The colors, and how many steps they stand for.
  drawLegend() {
    const { table, world } = this.view;
    if (!table || !world) return;
    const bar = element("canvas", { width: 256, height: 1, "aria-hidden": true });
    bar.dataset.drawn = true;
    const image = new ImageData(256, 1);
    table.forEach(([red, green, blue], index) => image.data.set([red, green, blue, 255], 4 * index));
    bar.getContext("2d").putImageData(image, 0, 0);
    let nearest = 0.86; // of the width, left of "1 step"
    const ticks = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50].filter((steps) => {
      const at = world.gamma ** (steps - 1);
      if (steps > 1 && (at > nearest || at < 0.03)) return false;
      if (steps > 1) nearest = at - 0.09;
      return true;
    });
    const labels = element("div", { className: "ticks dim" }, ...ticks.map((steps) => {
      const tick = element("span", { textContent: steps === 1 ? "1 step" : steps });
      tick.style.left = `${100 * world.gamma ** (steps - 1)}%`;
      return tick;
    }));
    this.mapScale.replaceChildren(bar, labels);
  }

  // Click or tap: go there, or draw walls while the pointer is down.
  point(canvas) {
    const { scene, view } = this;
    const inside = ([row, col]) => row >= 0 && col >= 0 && row < view.world.grid[0] && col < view.world.grid[1];
    let last = null;
    const draw = (event) => {
      // A fast pointer has been in more places than it is told of one by one.
      const moves = event.getCoalescedEvents?.() ?? [];
      const cells = (moves.length ? moves : [event]).map((each) => scene.cellAt(each))
        .filter((cell) => inside(cell) && String(cell) !== last && (last = String(cell)));
      if (!cells.length) return;
      view.send({
        do: "walls",
        wall: this.pointer.value === "build",
        cells: cells.slice(0, 64).map((cell) => scene.inWorld(cell)),
      });
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!view.picture || event.button) return;
      const cell = scene.cellAt(event);
      if (!inside(cell)) return;
      if (this.pointer.value === "go" || !view.world.has_walls) {
        view.send({ do: "goal", ...scene.inWorld(cell) });
        return;
      }
      canvas.setPointerCapture(event.pointerId);
      last = null;
      draw(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!view.picture) return;
      if (canvas.hasPointerCapture(event.pointerId)) draw(event);
      const cell = scene.cellAt(event);
      scene.hovered = event.pointerType === "mouse" && inside(cell) ? cell : null;
      scene.onChange();
    });
    canvas.addEventListener("pointerleave", () => {
      scene.hovered = null;
      if (view.picture) scene.onChange();
    });
    canvas.addEventListener("keydown", (event) => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!view.picture || !(event.shiftKey && move) && !(event.key === "Enter" && scene.cursor)) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Enter") {
        view.send({ do: "goal", ...scene.inWorld(scene.cursor) });
        scene.cursor = null;
      } else {
        const from = scene.cursor ?? view.picture.words.place;
        const to = [from[0] + move[0], from[1] + move[1]];
        if (inside(to)) scene.cursor = scene.hovered = to;
      }
      scene.onChange();
    });
    canvas.addEventListener("blur", () => {
      scene.cursor = null;
      if (view.picture) scene.onChange();
    });
  }
}
