// Play: the game with the Q-map over it; click a place and the agent goes there.

import { Channel, colors, element } from "./common.js";
import { Bars, Scene, unpack } from "./play_scene.js";
import { Controls } from "./play_controls.js";
import { Hand } from "./play_hand.js";
import { Tries } from "./play_tries.js";

export function open(section) {
  const view = {
    world: null,
    state: null,
    picture: null,
    table: null,
    send: (message) => channel.send(message),
  };
  const scene = new Scene(view, "best");
  const truth = new Scene(view, "true");
  const bars = new Bars(view);
  const controls = new Controls(view, scene);
  const hand = new Hand(view);
  const tries = new Tries(view);
  const waiting = element("p", { className: "dim", role: "status", textContent: "Connecting…" });
  const stage = element("div", { className: "stage", hidden: true },
    element("figure", {}, scene.canvas),
    element("figure", { hidden: true }, truth.canvas, element("figcaption", { className: "dim" })),
  );
  const caption = element("div", { className: "row caption", hidden: true });
  const game = element("div", { className: "card stack" }, controls.top, waiting, stage, caption,
    bars.element, hand.element);
  const side = element("div", { className: "stack", hidden: true }, controls.side, tries.element);
  section.append(element("div", { className: "columns play" }, game, side));

  function opened(name) {
    view.world = view.state = view.picture = null;
    stage.hidden = caption.hidden = side.hidden = hand.element.hidden = true;
    bars.element.hidden = waiting.hidden = false;
    waiting.textContent = name
      ? `Waking up ${name}: that takes some seconds.`
      : "Choose a checkpoint to play with.";
    controls.opened(name);
  }

  async function onPicture(buffer) {
    view.table ??= await colors();
    if (!view.world || !view.table) return;
    const picture = await unpack(buffer);
    view.picture?.screen.close();
    view.picture = picture;
    waiting.hidden = true;
    stage.hidden = caption.hidden = side.hidden = hand.element.hidden = false;
    scene.draw();
    const [, right] = stage.children;
    right.hidden = !picture.maps.true;
    if (picture.maps.true) {
      truth.draw();
      right.lastChild.textContent =
        `true distances; mean squared error of the Q-map ${picture.words.error.toFixed(5)}`;
    }
    bars.draw();
    describe(caption, view);
    controls.pictured();
    section.dataset.pictures = Number(section.dataset.pictures ?? 0) + 1;
  }

  const channel = new Channel("/play/socket", {
    onPicture,
    onWords: (words) => {
      if ("checkpoints" in words) controls.list(words.checkpoints);
      if ("opened" in words) opened(words.opened);
      if ("world" in words) {
        view.world = words.world;
        controls.world();
        hand.world();
      }
      if ("state" in words) {
        view.state = words.state;
        controls.state();
      }
      if ("tries" in words) tries.draw(words.tries);
    },
  });
  const end = hand.listen();
  // Lines are as thick as the canvas is shown large.
  const sized = new ResizeObserver(() => {
    if (!view.picture || !view.world) return;
    scene.draw();
    if (view.picture.maps.true) truth.draw();
  });
  sized.observe(scene.canvas);
  const redraw = () => { if (view.picture) scene.draw(); };
  scene.onChange = redraw;
  return () => {
    end();
    sized.disconnect();
    channel.close();
    delete section.dataset.pictures;
  };
}

// The line below the picture, as in the videos: kind of step, action, step and return.
function describe(caption, { picture: { words }, world }) {
  const kind = words.kind ?? "start";
  const chip = element("span", { className: "chip", textContent: kind });
  chip.dataset.kind = kind;
  const parts = [chip, element("span", { textContent: words.acted === null ? "" : world.actions[words.acted] })];
  if ("left" in words) {
    parts.push(element("span", {
      className: "dim",
      textContent: `${words.taken} taken, ${words.left.toFixed(0)} more believed`,
    }));
  }
  if (words.completed) parts.push(element("strong", { textContent: "finished" }));
  else if (words.over) parts.push(element("strong", { textContent: "the episode is over" }));
  parts.push(element("span", {
    className: "dim end",
    textContent: `episode ${words.episode}   step ${words.step.toLocaleString("en")}   return ${words.return}`,
  }));
  caption.replaceChildren(...parts);
}
