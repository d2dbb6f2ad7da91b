// What each thread did in the last steps: a lane for each, a bar for each thing, time to the right.
"use strict";

const KINDS = {
  generator: "generator", conversion: "conversion to tensors", queue: "in the queue", wait: "model waits",
  step: "step", callbacks: "callbacks",
};

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Round numbers of seconds, so that neighbours are at least `room` pixels apart.
function ticks(from, to, pixels, room) {
  const least = (to - from) * room / pixels;
  const power = 10 ** Math.floor(Math.log10(least));
  const by = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least);
  const digits = Math.max(0, -Math.floor(Math.log10(by) + 1e-9));
  const found = [];
  for (let k = Math.ceil(from / by); k * by <= to; k++) found.push([k * by, (k * by).toFixed(digits)]);
  return found;
}

function drawLanes(lanes, bars, place, keys) {
  place.replaceChildren();
  const seen = Object.keys(KINDS).filter((kind) => bars.some((bar) => bar[1] === kind));
  keys.replaceChildren(...seen.map((kind) => {
    const key = document.createElement("span");
    key.className = "key " + kind;
    key.textContent = KINDS[kind];
    return key;
  }));
  if (!bars.length) return;
  const width = Math.max(260, place.clientWidth), narrow = width < 560, each = narrow ? 46 : 34;
  const left = narrow ? 0 : 152, height = lanes.length * each + 40;
  const from = Math.min(...bars.map((bar) => bar[2])), to = Math.max(...bars.map((bar) => bar[3]), from + 1e-6);
  const x = (time) => left + (time - from) / (to - from) * (width - left - 1);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img" });
  svg.append(element("title", {}, "What each thread did in the last steps"));
  const room = narrow ? 12 : 0; // for the name of a lane above its bars
  const middle = (lane) => lane * each + room + (each - room) / 2;
  const bottom = lanes.length * each + 2;
  for (const [time, text] of ticks(from, to, width - left, 70)) {
    svg.append(element("line", { x1: x(time), x2: x(time), y1: 0, y2: bottom }));
    const at = Math.min(Math.max(x(time), left + 14), width - 16);
    svg.append(element("text", { x: at, y: bottom + 15, class: "tick" }, text));
  }
  const unit = element("text", { x: width / 2 + left / 2, y: bottom + 33, class: "tick" }, "seconds since the call began");
  svg.append(unit);
  lanes.forEach((name, lane) => {
    const y = narrow ? lane * each + 10 : middle(lane) + 4;
    svg.append(element("text", { x: 0, y }, name));
  });
  const scale = (each - room) * 0.92;
  for (const [lane, kind, begin, end, low, high, label] of [...bars].sort((a, b) => (b[1] === "wait") - (a[1] === "wait"))) {
    const wide = Math.max(0.75, x(end) - x(begin));
    const inset = wide > 4 && kind !== "queue" ? 0.5 : 0;
    const rect = { x: x(begin) + inset, width: wide - 2 * inset, y: middle(lane) + low * scale, height: (high - low) * scale };
    svg.append(element("rect", { ...rect, class: kind }));
    if (wide > 7 * label.length + 4 && label)
      svg.append(element("text", { x: x(begin) + wide / 2, y: middle(lane) + 3.5, class: "number" }, label));
  }
  place.append(svg);
}
