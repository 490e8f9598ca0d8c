// Watch: a run that is training in another process.

import { ask, Channel, element, fileAddress, problem } from "./common.js";
import { Figure } from "./curves.js";

const STATES = {
  training: "● training", stopping: "… stopping", stopped: "■ stopped",
  finished: "✓ finished", crashed: "✕ crashed", damaged: "✕ damaged",
};
const TITLES = {
  score: "Scores", exploration: "Exploration", learning: "Learning",
  ground_truth_loss: "Error to the ground truth",
};
const NEWEST = "newest";
const SURE = 4000; // milliseconds in which a second press stops the run

const whole = (value) => value.toLocaleString("en");

export function duration(seconds) {
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function open(section) {
  const chosen = element("select", { id: "watch-run", "aria-label": "Run" });
  const run = element("div");
  section.append(element("div", { className: "stack" }, element("div", { className: "row" }, chosen), run));
  let close = () => {};
  let names = [];

  function watch(name) {
    close();
    history.replaceState(null, "", `#watch/${encodeURIComponent(name)}`);
    close = watchRun(run, name);
  }

  async function list() {
    const found = await ask("/runs");
    if (!found) return;
    let wanted = names.length ? chosen.value : decoded(location.hash.split("/")[1] ?? "");
    if (found.runs.join("\n") !== names.join("\n")) {
      // One that is gone stays chosen: it may come back.
      const shown = found.runs.includes(wanted) || !wanted ? found.runs : [wanted, ...found.runs];
      const title = (name) => (name === "." ? found.root : name);
      chosen.replaceChildren(...shown.map((name) => element("option", { value: name, textContent: title(name) })));
      if (!wanted) [wanted] = found.runs;
      const first = !names.length;
      names = found.runs;
      if (wanted) chosen.value = wanted;
      if (first && wanted) watch(wanted);
    }
    if (!names.length) run.replaceChildren(element("p", { className: "card", textContent: "No run yet: it appears here when a training begins." }));
  }

  chosen.addEventListener("change", () => watch(chosen.value));
  list();
  const timer = setInterval(() => { if (!document.hidden) list(); }, 5000);
  return () => {
    clearInterval(timer);
    close();
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

// Fill a box with what is known of a run, until the function that is returned is called.
function watchRun(box, name) {
  const gone = element("p", { className: "card", role: "status", hidden: true });
  const picture = newestPicture();
  const state = stateCard(name, () => channel.send({ do: "stop", run: name }));
  const videos = videoCard();
  const map = mapCard(name);
  const config = configCard(name);
  const curves = element("div", { className: "stack" });
  const figures = new Map();
  const side = element("div", { className: "stack" }, videos.box, map.box, config.box);
  const all = element("div", { className: "stack", hidden: true }, state.box,
    element("div", { className: "columns" }, element("div", { className: "stack" }, picture.box, curves), side));
  box.replaceChildren(gone, all);

  function drawFigures(found) {
    for (const figure of found) {
      if (!figures.has(figure.log)) figures.set(figure.log, new Figure());
      figures.get(figure.log).update(figure, TITLES[figure.log] ?? figure.log);
    }
    const logs = found.map((figure) => figure.log);
    const order = [...Object.keys(TITLES).filter((log) => logs.includes(log)), ...logs.filter((log) => !(log in TITLES))];
    const boxes = order.map((log) => figures.get(log).box);
    if (boxes.some((each, index) => each !== curves.children[index]) || boxes.length !== curves.children.length) {
      curves.replaceChildren(...boxes);
    }
  }

  const channel = new Channel("/watch/socket", {
    onOpen: () => channel.send({ do: "watch", run: name }),
    onPicture: picture.show,
    onWords: (words) => {
      gone.hidden = !("gone" in words);
      all.hidden = "gone" in words;
      if ("gone" in words) gone.textContent = words.gone;
      if (words.state) {
        problem(words.state.problem);
        state.update(words.state);
        config.load();
      }
      if (words.videos) videos.update(words.videos);
      if (words.visits) map.update(words.visits);
      if (words.figures) drawFigures(words.figures);
    },
  });
  return () => channel.close();
}

function newestPicture() {
  const canvas = element("canvas", { id: "watch-picture", "aria-label": "The newest picture of the training", role: "img" });
  const box = element("div", { className: "card scroll", tabIndex: 0, hidden: true }, canvas);
  async function show(data) {
    const image = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
    box.hidden = false;
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.dataset.shown = Number(canvas.dataset.shown ?? 0) + 1;
    image.close();
  }
  return { box, show };
}

function stateCard(name, stop) {
  const word = element("strong", { id: "watch-state" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Steps done" });
  const steps = element("span", { id: "watch-step" });
  const speed = element("span", { className: "dim" });
  const score = element("span", { className: "dim" });
  const button = element("button", { id: "watch-stop", textContent: "Stop", hidden: true });
  const command = element("code", { id: "watch-resume" });
  const copy = element("button", { textContent: "Copy" });
  const resume = element("div", { className: "row", hidden: true },
    element("span", { className: "dim", textContent: "Go on with" }), command, copy);
  let timer = null;

  function rest() {
    clearTimeout(timer);
    timer = null;
    button.textContent = "Stop";
  }
  button.addEventListener("click", () => {
    if (timer === null) {
      button.textContent = "Press again to stop the training";
      timer = setTimeout(rest, SURE);
    } else {
      rest();
      stop();
    }
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command); // not over plain HTTP from elsewhere
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });

  function update(found) {
    word.textContent = STATES[found.state] ?? found.state;
    word.className = `state ${found.state}`;
    bar.hidden = !found.last;
    bar.value = found.last ? found.step / found.last : 0;
    steps.textContent = `step ${whole(found.step)}${found.last ? ` of ${whole(found.last)}` : ""}`;
    const parts = [];
    if (found.speed) parts.push(`${found.speed.toPrecision(3)} steps/s`);
    if (found.left) parts.push(`${duration(found.left)} left`);
    speed.textContent = parts.join(", ");
    score.textContent = found.score === null ? "" : `last score ${+found.score.toPrecision(4)}`;
    button.hidden = found.state !== "training";
    resume.hidden = !found.resume;
    command.textContent = found.resume ?? "";
  }
  const box = element("div", { className: "card stack" },
    element("div", { className: "row" }, word, bar, steps, speed, score, button), resume);
  return { box, update };
}

function videoCard() {
  const player = element("video", { id: "watch-video", controls: true, muted: true, preload: "metadata", playsInline: true });
  const list = element("select", { id: "watch-episodes", "aria-label": "Episode" });
  const box = element("div", { className: "card stack", hidden: true }, element("h2", { textContent: "Videos" }), player, list);
  let known = [];

  function play() {
    const file = list.value === NEWEST ? known[0].file : list.value;
    const address = fileAddress(file);
    if (player.getAttribute("src") !== address) player.src = address;
  }
  list.addEventListener("change", play);

  function update(videos) {
    known = videos;
    box.hidden = !videos.length;
    if (!videos.length) return;
    const wanted = list.value || NEWEST;
    const titles = videos.map((video) => [video.file, title(video)]);
    const options = [[NEWEST, "the newest"], ...titles];
    list.replaceChildren(...options.map(([value, text]) => element("option", { value, textContent: text })));
    list.value = options.some(([value]) => value === wanted) ? wanted : NEWEST;
    const busy = !player.paused && !player.ended;
    if (!busy) play();
  }
  return { box, update };
}

function title(video) {
  if (video.episode === null) return video.score;
  return `episode ${video.episode}, step ${whole(video.step)}, score ${video.score}`;
}

function mapCard(name) {
  const image = element("img", { id: "watch-map", alt: "Where the agent has been" });
  const slider = element("input", { id: "watch-map-step", type: "range", min: 0, "aria-label": "Step of the map" });
  const label = element("span", { className: "dim" });
  const link = element("a", { target: "_blank", rel: "noopener", title: "Full size" }, image);
  const box = element("div", { className: "card stack", hidden: true },
    element("h2", { textContent: "Where the agent has been" }), link, slider, label);
  let steps = [];
  let follows = true;

  function show() {
    const step = steps[slider.value];
    const address = `/watch/visits?run=${encodeURIComponent(name)}&step=${step}`;
    label.textContent = `step ${whole(step)}`;
    slider.setAttribute("aria-valuetext", label.textContent);
    if (image.getAttribute("src") !== address) {
      image.src = address;
      link.href = address;
    }
  }
  slider.addEventListener("input", () => {
    follows = Number(slider.value) === steps.length - 1;
    show();
  });

  function update(found) {
    const before = steps[slider.value];
    steps = found;
    box.hidden = !steps.length;
    if (!steps.length) return;
    slider.max = steps.length - 1;
    slider.hidden = steps.length < 2;
    const at = follows ? -1 : steps.indexOf(before);
    slider.value = at < 0 ? steps.length - 1 : at;
    show();
  }
  return { box, update };
}

function configCard(name) {
  const rows = element("tbody");
  const program = element("p", { className: "dim" });
  const box = element("details", { id: "watch-config", className: "card", hidden: true },
    element("summary", { textContent: "Configuration" }), program, element("table", {}, rows));
  let loaded = false;

  async function load() {
    if (loaded) return;
    loaded = true;
    const answer = await fetch(`/watch/config?run=${encodeURIComponent(name)}`).catch(() => null);
    if (!answer?.ok) return;
    const found = await answer.json();
    program.textContent = `python -m ${found.program}`;
    rows.replaceChildren(...Object.entries(found.options).map(([option, value]) => element("tr", {},
      element("th", { scope: "row", textContent: option.replaceAll("_", "-") }),
      element("td", { textContent: value }))));
    box.hidden = false;
  }
  return { box, load };
}
