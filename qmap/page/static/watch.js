// watch

import { element } from "./common.js";

export function open(section) {
  section.append(element("p", { textContent: "Nothing here yet." }));
}
