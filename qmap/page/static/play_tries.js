// The goals that were tried, and the share that arrived.

import { element } from "./common.js";

const SIGNS = { arrived: "✓", "did not arrive": "✗", "under way": "…", "broken off": "–" };

export class Tries {
  constructor() {
    this.share = element("p", { role: "status", className: "share" });
    this.body = element("tbody");
    this.element = element("div", { className: "card stack tries" },
      element("h2", { textContent: "Tries" }), this.share,
      element("div", { className: "scroll" }, element("table", {},
        element("thead", {}, element("tr", {}, ...["goal", "believed", "taken", ""].map((textContent) =>
          element("th", { textContent, scope: "col" })))),
        this.body)));
  }

  draw({ ended, arrived, list }) {
    this.share.textContent = ended
      ? `${arrived} of ${ended} arrived, ${Math.round((100 * arrived) / ended)} %`
      : "Click a place in the game.";
    this.body.replaceChildren(...list.map((each) => {
      const outcome = element("td", { textContent: `${SIGNS[each.outcome]} ${each.outcome}` });
      outcome.dataset.outcome = each.outcome;
      return element("tr", { title: each.by === "click" ? "chosen by a click" : "chosen by itself" },
        ...[each.goal.join(", "), each.believed, each.taken ?? ""].map((textContent) => element("td", { textContent })),
        outcome);
    }));
  }
}
