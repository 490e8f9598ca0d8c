// The page: which tab is open, light or dark, and what went wrong.

import * as play from "./play.js";
import * as watch from "./watch.js";
import * as compare from "./compare.js";

const TABS = { play, watch, compare };
const NAMES = Object.keys(TABS);
let close = () => {};

// A tab is its module's `open(section)`, which fills the section and returns what ends it.
function open(name) {
  close();
  for (const each of NAMES) {
    const section = document.getElementById(each);
    const tab = document.getElementById(`tab-${each}`);
    section.hidden = each !== name;
    section.replaceChildren();
    tab.setAttribute("aria-selected", each === name);
    tab.tabIndex = each === name ? 0 : -1;
  }
  document.getElementById("problem").hidden = true;
  close = TABS[name].open(document.getElementById(name)) ?? (() => {});
}

function chosen() {
  const name = location.hash.slice(1).split("/")[0];
  return NAMES.includes(name) ? name : NAMES[0];
}

for (const name of NAMES) {
  const tab = document.getElementById(`tab-${name}`);
  tab.addEventListener("click", () => { location.hash = name; });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = NAMES[(NAMES.indexOf(name) + step + NAMES.length) % NAMES.length];
    location.hash = next;
    document.getElementById(`tab-${next}`).focus();
  });
}
window.addEventListener("hashchange", () => open(chosen()));

// Light or dark as the system says, until the switch says otherwise.
const dark = matchMedia("(prefers-color-scheme: dark)");
const button = document.getElementById("theme");
function paint() {
  const theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = theme;
  button.textContent = theme === "dark" ? "☀" : "☾";
  document.dispatchEvent(new Event("theme"));
}
button.addEventListener("click", () => {
  localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  paint();
});
dark.addEventListener("change", paint);
paint();
open(chosen());
