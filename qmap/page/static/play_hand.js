// Taking over by keyboard or by buttons, with the actions that the agent has.

import { element } from "./common.js";

const KEYS = {
  ArrowUp: "UP", ArrowDown: "DOWN", ArrowLeft: "LEFT", ArrowRight: "RIGHT",
  KeyW: "UP", KeyS: "DOWN", KeyA: "LEFT", KeyD: "RIGHT", Space: "PRESS",
};
const PARTS = /UP|DOWN|LEFT|RIGHT|JUMP|FIRE/g;

// The parts of an action's name that keys stand for: JUMP+LEFT is PRESS and LEFT.
const partsOf = (name) => (name.toUpperCase().match(PARTS) ?? [])
  .map((part) => (["JUMP", "FIRE"].includes(part) ? "PRESS" : part));

// The action that most of the pressed keys stand for, null for none.
export function actionOf(pressed, names) {
  let [best, most] = [null, 0];
  names.forEach((name, action) => {
    const parts = partsOf(name);
    if (parts.length > most && parts.every((part) => pressed.has(part))) [best, most] = [action, parts.length];
  });
  return best;
}

export class Hand {
  constructor(view) {
    this.view = view;
    this.pressed = new Set();
    this.numbered = null;
    this.held = null;
    this.buttons = element("div", { className: "row" });
    this.element = element("div", { className: "stack", hidden: true }, this.buttons,
      element("p", { className: "dim help", textContent:
        "Keyboard: arrows or WASD, space to jump or fire, 1 to 9 for the actions in this order; "
        + "on the game, Shift and arrows choose a place and Enter goes there." }));
  }

  world() {
    this.buttons.replaceChildren(...this.view.world.actions.map((textContent, action) => {
      const button = element("button", { textContent, className: "act" });
      button.addEventListener("pointerdown", () => this.hold(action));
      for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
        button.addEventListener(end, () => this.hold(null));
      }
      return button;
    }));
  }

  hold(action) {
    if (action === this.held) return;
    this.held = action;
    this.view.send({ do: "hold", action });
  }

  listen() {
    const update = () => {
      if (this.view.world) this.hold(this.numbered ?? actionOf(this.pressed, this.view.world.actions));
    };
    const down = (event) => {
      const tag = event.target.tagName;
      if (!this.view.world || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      if (["INPUT", "SELECT", "TEXTAREA", "VIDEO"].includes(tag) || event.target.role === "tab") return;
      const button = tag === "BUTTON";
      const digit = /^Digit([1-9])$/.exec(event.code);
      if (digit && digit[1] <= this.view.world.actions.length) this.numbered = digit[1] - 1;
      else if (event.code in KEYS && !(button && event.code === "Space")) this.pressed.add(KEYS[event.code]);
      // Enter and space on a button of an action hold it, as a finger would.
      else if (button && event.target.classList.contains("act") && ["Enter", "Space"].includes(event.code)) {
        this.numbered = [...this.buttons.children].indexOf(event.target);
      } else return;
      event.preventDefault();
      update();
    };
    const up = (event) => {
      if (/^Digit|^Enter$|^Space$/.test(event.code)) this.numbered = null;
      this.pressed.delete(KEYS[event.code]);
      update();
    };
    const release = () => {
      this.pressed.clear();
      this.numbered = null;
      update();
    };
    document.addEventListener("keydown", down);
    document.addEventListener("keyup", up);
    window.addEventListener("blur", release);
    return () => {
      document.removeEventListener("keydown", down);
      document.removeEventListener("keyup", up);
      window.removeEventListener("blur", release);
    };
  }
}
