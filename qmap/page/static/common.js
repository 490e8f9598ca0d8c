// What the tabs share: making elements, talking to the server, and colors.

// element("button", { textContent: "Go", onclick: go, "aria-label": "go" }, child, "text")
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Shows a line above the tabs; nothing takes it away.
export function problem(text) {
  const line = document.getElementById("problem");
  line.textContent = text ?? "";
  line.hidden = !text;
}

// fetch("/runs") as an object; what the server refuses is shown, and null returned.
export async function ask(address) {
  try {
    const answer = await fetch(address);
    if (answer.ok) return await answer.json();
    problem(await answer.text());
  } catch {
    problem("the server does not answer");
  }
  return null;
}

// The path of a file of the results.
export const fileAddress = (name) => `/files/${name.split("/").map(encodeURIComponent).join("/")}`;

// The colors of the Q-map: 256 times red, green and blue.
let table = null;
export const colors = () => (table ??= ask("/colors"));

// A socket that is opened again when it breaks. `onWords` gets objects, `onPicture` an ArrayBuffer;
// the next picture is asked for when its promise is done.
export class Channel {
  constructor(address, { onWords = () => {}, onPicture = async () => {}, onOpen = () => {} }) {
    this.closed = false;
    this.wait = 250;
    this.connect = () => {
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(`${scheme}//${location.host}${address}`);
      this.socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        this.wait = 250;
        problem(null);
        onOpen();
      };
      socket.onmessage = async ({ data }) => {
        if (typeof data !== "string") {
          await onPicture(data);
          this.send({ do: "seen" });
          return;
        }
        const words = JSON.parse(data);
        if ("problem" in words) problem(words.problem);
        else onWords(words);
      };
      socket.onclose = () => {
        if (this.closed) return;
        problem("the server does not answer; trying again");
        this.timer = setTimeout(this.connect, this.wait);
        this.wait = Math.min(this.wait * 2, 4000);
      };
    };
    this.connect();
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
