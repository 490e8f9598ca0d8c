// Compare: all runs in a table, and the curves of those that are chosen.

import { ask, element } from "./common.js";
import { Figure, short } from "./curves.js";

const WAYS = [
  ["interval", "95% interval of the mean"], ["deviation", "standard deviation and extremes"],
  ["iqm", "interquartile mean"], ["runs", "each run"],
];
const EVERY = 5000; // milliseconds from one look at the results to the next
const FIRST = 40; // runs, at most, that are chosen at first
const STATES = { training: "●", stopping: "…", stopped: "■", finished: "✓", crashed: "✕" };

// What sorts and what is shown, by the titles of the columns; scores come after them.
const COLUMNS = [
  ["environment", (row) => row.environment],
  ["agent", (row) => row.label],
  ["seed", (row) => row.seed],
  ["state", (row) => row.state],
  ["steps", (row) => row.step],
];

export function open(section) {
  const filters = {
    environment: element("select", { id: "compare-environment", "aria-label": "Environment", hidden: true }),
    agent: element("select", { id: "compare-agent", "aria-label": "Agent", hidden: true }),
    state: element("select", { id: "compare-state", "aria-label": "State", hidden: true }),
  };
  const words = element("input", { id: "compare-filter", type: "search", placeholder: "Filter", "aria-label": "Filter" });
  const head = element("tr");
  const body = element("tbody");
  const count = element("span", { className: "dim", id: "compare-count", role: "status" });
  const log = element("select", { id: "compare-log", "aria-label": "Log", hidden: true });
  const way = element("select", { id: "compare-way", "aria-label": "Seeds" },
    ...WAYS.map(([value, text]) => element("option", { value, textContent: text })));
  const logarithmic = element("input", { type: "checkbox", id: "compare-logarithmic" });
  const drawn = element("div", { className: "stack" }, element("p", { className: "dim", textContent: "Reading the results…" }));
  section.append(element("div", { className: "stack" },
    element("div", { className: "card stack" },
      element("div", { className: "row" }, words, ...Object.values(filters), count),
      element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Runs" },
        element("table", { id: "compare-table" }, element("thead", {}, head), body))),
    element("div", { className: "row" }, log, way,
      element("label", { className: "row" }, logarithmic, "logarithmic")),
    drawn));

  let rows = [];
  let order = ["steps", false]; // the column that sorts, and whether upwards
  let sorted = false; // by a person; until then the newest is first
  const address = location.hash.split("/")[1];
  let chosen = new Set(address ? address.split(",") : []);
  let choosing = Boolean(address); // whether a person has chosen
  const lines = new Map(); // of the table, by the run's id
  const figures = new Map();
  let closed = false;
  let asked = 0;

  const scores = () => [...new Set(shown().flatMap((row) => Object.keys(row.scores)))];
  const value = (row, column) => (COLUMNS.find(([name]) => name === column)?.[1](row) ?? row.scores[column]);

  function shown() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => {
      const text = `${row.run} ${row.state}`.toLowerCase();
      return wanted.every((word) => text.includes(word))
        && Object.entries(filters).every(([name, select]) => !select.value || row[name] === select.value);
    });
  }

  function compareRows(one, other) {
    const [column, up] = order;
    const [a, b] = [value(one, column), value(other, column)];
    if (a === b) return 0;
    if (a === undefined || a === null) return 1;
    if (b === undefined || b === null) return -1;
    const less = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
    return up ? less : -less;
  }

  function drawTable() {
    const columns = [...COLUMNS.map(([name]) => name), ...scores()];
    const found = shown();
    if (sorted) found.sort(compareRows);
    if (head.dataset.columns !== columns.join("|")) {
      head.dataset.columns = columns.join("|");
      head.replaceChildren(element("th", {}, all), ...columns.map(heading));
      lines.clear();
    }
    for (const cell of head.querySelectorAll("[data-column]")) {
      const own = sorted && cell.dataset.column === order[0];
      cell.setAttribute("aria-sort", own ? (order[1] ? "ascending" : "descending") : "none");
    }
    const drawnRows = found.map((row) => tableRow(row, columns));
    if (drawnRows.length !== body.children.length || drawnRows.some((row, index) => row !== body.children[index])) {
      body.replaceChildren(...drawnRows);
    }
    all.checked = found.length > 0 && found.every((row) => chosen.has(row.id));
    count.textContent = `${found.length} of ${rows.length} runs, ${chosen.size} chosen`;
  }

  const kind = (column) => (column === "agent" ? "agent" : ["environment", "state"].includes(column) ? "" : "number");

  const all = element("input", { type: "checkbox", id: "compare-all", "aria-label": "Choose all that are shown" });
  all.addEventListener("change", () => {
    for (const row of shown()) choose(row.id, all.checked);
    chosenChanged();
  });

  function heading(column) {
    const title = column.replace("return, mean of the last 100 episodes", "return, last 100");
    const button = element("button", { className: "plain", textContent: title, title: column });
    button.addEventListener("click", () => {
      const words = rows.some((row) => typeof value(row, column) === "string");
      order = sorted && order[0] === column ? [column, !order[1]] : [column, words];
      sorted = true;
      drawTable();
    });
    return element("th", { scope: "col", className: kind(column), "data-column": column }, button);
  }

  function tableRow(row, columns) {
    if (!lines.has(row.id)) {
      const box = element("input", { type: "checkbox", "aria-label": `Choose ${row.run}` });
      box.addEventListener("change", () => {
        choose(row.id, box.checked);
        chosenChanged();
      });
      const cells = columns.map((column) => element("td", { className: kind(column) }));
      const link = element("a", { href: `#watch/${encodeURIComponent(row.run)}`, title: `Watch ${row.run}` });
      cells[0].append(link);
      lines.set(row.id, { box, cells, link, line: element("tr", {}, element("td", {}, box), ...cells) });
    }
    const { box, cells, link, line } = lines.get(row.id);
    box.checked = chosen.has(row.id);
    const texts = columns.map((column) => cellText(row, column));
    link.textContent = texts[0];
    cells[1].title = row.agent;
    texts.slice(1).forEach((text, index) => {
      if (cells[index + 1].textContent !== text) cells[index + 1].textContent = text;
    });
    return line;
  }

  function cellText(row, column) {
    if (column === "steps") {
      return row.last ? `${short(row.step)} (${Math.floor((100 * row.step) / row.last)}%)` : short(row.step);
    }
    if (column === "state") return `${STATES[row.state] ?? ""} ${row.state}`;
    const found = value(row, column);
    if (found === undefined || found === null) return "–";
    return typeof found === "number" ? `${+found.toPrecision(4)}` : found;
  }

  const choose = (id, wanted) => (wanted ? chosen.add(id) : chosen.delete(id));

  function chosenChanged() {
    history.replaceState(null, "", `#compare/${[...chosen].join(",")}`);
    drawTable();
    drawCurves();
  }

  function drawFilters() {
    for (const [name, select] of Object.entries(filters)) {
      const values = [...new Set(rows.map((row) => row[name]))].sort();
      if (select.dataset.values === values.join("|")) continue;
      select.dataset.values = values.join("|");
      select.hidden = false;
      const before = select.value;
      const label = (each) => (name === "agent" ? rows.find((row) => row.agent === each).label : each);
      select.replaceChildren(element("option", { value: "", textContent: `every ${name}` }),
        ...values.map((each) => element("option", { value: each, textContent: label(each) })));
      select.value = values.includes(before) ? before : "";
    }
  }

  async function drawCurves() {
    asked += 1;
    const mine = asked;
    const query = new URLSearchParams({ runs: [...chosen].join(","), log: log.value, way: way.value });
    const found = await ask(`/compare/curves?${query}`);
    if (!found || closed || mine !== asked) return;
    log.replaceChildren(...found.logs.map((name) => element("option", { value: name, textContent: name.replaceAll("_", " ") })));
    log.value = found.log;
    log.hidden = !found.logs.length;
    const boxes = found.figures.map((figure) => {
      if (!figures.has(figure.environment)) figures.set(figure.environment, new Figure());
      figures.get(figure.environment).update(figure, figure.environment, { log: logarithmic.checked });
      return figures.get(figure.environment).box;
    });
    if (!boxes.length) boxes.push(element("p", { className: "dim", textContent: "No curves: choose runs in the table." }));
    if (boxes.length !== drawn.children.length || boxes.some((box, index) => box !== drawn.children[index])) {
      drawn.replaceChildren(...boxes);
    }
  }

  async function look(first) {
    const found = first || !document.hidden ? await ask("/compare/table") : null;
    if (closed || !found) return;
    rows = found;
    if (!choosing && rows.length) {
      choosing = true;
      const newest = rows.filter((row) => row.environment === rows[0].environment).slice(0, FIRST);
      chosen = new Set(newest.map((row) => row.id));
    }
    drawFilters();
    drawTable();
    const grows = rows.some((row) => chosen.has(row.id) && ["training", "stopping"].includes(row.state));
    if (first || grows) await drawCurves();
  }

  let timer;
  async function go(first) {
    await look(first);
    if (!closed) timer = setTimeout(go, EVERY, false);
  }
  words.addEventListener("input", drawTable);
  for (const select of Object.values(filters)) select.addEventListener("change", drawTable);
  for (const control of [log, way, logarithmic]) control.addEventListener("change", drawCurves);
  go(true);
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}
