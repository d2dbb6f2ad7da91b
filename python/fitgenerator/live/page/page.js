// Shows the states that come: from the server, from a notebook, or the one that the page holds.
// Whatever came from the training reaches the page as text, never as markup.
"use strict";

const byId = (id) => document.getElementById(id);
const SMOOTH = 0.6, MANY = 30; // as in the plot of a history
let metrics = { panels: [] }, pipeline = null, charts = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const percent = (share) => Math.round(100 * share) + " %";

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

const rate = (value) => value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(2).replace(/\.0$/, "");

function duration(seconds) {
  if (seconds < 1) return Math.round(1000 * seconds) + " ms";
  if (seconds < 60) return seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

function make(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

// -- metrics -------------------------------------------------------------------------------------

// Exponential, corrected for its beginning; it begins anew after a value that is not finite.
function smoothed(values) {
  let total = 0, share = 0;
  return values.map((value) => {
    if (value === undefined) return undefined;
    if (value === null) { total = share = 0; return null; }
    total = SMOOTH * total + (1 - SMOOTH) * value;
    share = SMOOTH * share + 1 - SMOOTH;
    return total / share;
  });
}

// The columns of a panel: `undefined` where nothing was measured, `null` where it cannot be drawn.
function columns(panel, log, smooth) {
  const epochs = [...new Set(panel.series.flatMap((series) => series.epochs))].sort((a, b) => a - b);
  const at = new Map(epochs.map((epoch, i) => [epoch, i]));
  const values = panel.series.map((series) => {
    const column = new Array(epochs.length).fill(undefined);
    series.epochs.forEach((epoch, i) => {
      const value = series.values[i];
      column[at.get(epoch)] = log && value !== null && value <= 0 ? null : value;
    });
    return column;
  });
  return [epochs, ...values, ...(smooth ? values.map(smoothed) : [])];
}

const around = (u, low, high) => {
  if (low === null || low === undefined) return [0, 1];
  if (low === high) return low ? [Math.min(0.9 * low, 1.1 * low), Math.max(0.9 * low, 1.1 * low)] : [-1, 1];
  const room = 0.06 * (high - low);
  return [low - room, high + room];
};
const aroundLog = (u, low, high) => low > 0 ? (low === high ? [low / 2, low * 2] : [low / 1.15, high * 1.15]) : [0.1, 1];
const epochRange = (u, low, high) => low === high ? [low - 1, high + 1] : [low, high];

function line(series, faint) {
  const dark = colour(series.data);
  const few = series.epochs.length <= MANY;
  return {
    stroke: faint ? dark + "66" : dark, width: faint ? 1 : 1.75, spanGaps: false,
    dash: series.data === "validation" && !faint ? [6, 3] : undefined,
    points: { show: few && !faint, size: 5, stroke: dark, fill: dark, width: 0 },
  };
}

function options(panel, log, smooth, width) {
  const ink = colour("quiet"), rule = colour("rule");
  const lines = panel.series.map((series) => line(series, smooth));
  if (smooth) lines.push(...panel.series.map((series) => ({ ...line(series, false), points: { show: false } })));
  const axis = { stroke: ink, font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif" };
  const hair = { stroke: rule, width: 1 };
  return {
    width, height: 210, padding: [10, 10, 0, 0], legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false, range: epochRange }, y: log ? { distr: 3, range: aroundLog } : { range: around } },
    series: [{}, ...lines],
    axes: [
      {
        ...axis, label: "epoch", labelSize: 18, size: 26, grid: { show: false }, ticks: { ...hair, size: 4 }, space: 42,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5],
        values: (u, all) => all.map((value) => Number.isInteger(value) && value > 0 ? String(value) : ""),
      },
      {
        ...axis, grid: hair, ticks: { show: false }, gap: 6, space: 32,
        size: (u, all) => 16 + 7 * Math.max(3, ...(all || []).map((text) => (text || "").length)),
        values: (u, all) => all.map((value) => value === null ? "" : number(value)),
      },
    ],
    hooks: { setCursor: [(u) => tell(u, panel, u.cursor.idx)] },
  };
}

// The values at the cursor; without one, the last ones.
function tell(u, panel, at) {
  const place = u.root.parentNode && u.root.parentNode.parentNode.querySelector(".now");
  if (place) place.replaceChildren(...values(panel, at === null || at === undefined ? null : u.data[0][at]));
}

function values(panel, epoch) {
  const shown = panel.series.map((series) => {
    const i = epoch === null ? series.epochs.length - 1 : series.epochs.indexOf(epoch);
    return i < 0 ? null : make("span", series.data, number(series.values[i]));
  }).filter(Boolean);
  return epoch === null ? shown : [make("span", "quiet", "epoch " + epoch), ...shown];
}

function showMetrics() {
  const log = byId("log").checked, smooth = byId("smooth").checked, place = byId("panels");
  charts.forEach((chart) => chart.destroy());
  const two = metrics.panels.some((panel) => panel.series.some((series) => series.data === "validation"));
  byId("legend").hidden = !two;
  byId("legend").style.display = two ? "" : "none";
  byId("nothing").hidden = metrics.panels.length > 0;
  const parts = metrics.panels.map((panel) => {
    const part = make("div", "panel"), head = make("div", "panel-head"), now = make("span", "now");
    now.append(...values(panel, null));
    head.append(make("b", "", panel.name), now);
    part.append(head, make("div", "chart"));
    panel.notes.forEach((note) => part.append(make("p", "note quiet", note)));
    return part;
  });
  place.replaceChildren(...parts);
  charts = metrics.panels.map((panel, i) => {
    const frame = parts[i].querySelector(".chart"), data = columns(panel, log, smooth);
    return new uPlot(options(panel, log, smooth, frame.clientWidth), data, frame);
  });
}

// -- pipeline ------------------------------------------------------------------------------------

const SHARES = [
  ["model_waited", "wait", "model waits for a batch"], ["step", "step", "steps of the model"],
  ["callbacks", "callbacks", "callbacks"], ["other", "other", "everything else"],
];

function figure(name, value, unit, share) {
  const part = make("div"), amount = make("dd", "", value);
  amount.append(" ", make("small", "", unit));
  part.append(make("dt", "", name), amount);
  if (share !== undefined) {
    const gauge = make("div", "gauge"), fill = make("div");
    fill.style.width = 100 * Math.min(1, share) + "%";
    gauge.append(fill);
    part.append(gauge);
  }
  return part;
}

function showCourse(state) {
  byId("model").textContent = state.model;
  document.title = `${state.model}: ${state.phase}`;
  byId("phase").textContent = state.phase;
  byId("phase").className = "phase " + state.phase.replace(/\W/g, "-");
  const parts = [state.epoch ? `epoch ${state.epoch} of ${state.epochs}` : ""];
  const known = state.steps, inside = known ? Math.min(1, state.done / known) : 0;
  if (!state.ended && state.epoch) parts.push(known ? `step ${state.done} of ${known}` : `${state.done} steps`);
  parts.push(duration(state.seconds));
  byId("where").textContent = parts.filter(Boolean).join(" · ");
  const through = state.phase === "finished" ? 1 : Math.max(0, state.epoch - 1 + inside) / Math.max(1, state.epochs);
  byId("progress").style.width = 100 * Math.min(1, through) + "%";
  if (state.ended) byId("nothing").textContent = "No epoch was finished: there are no values.";
  byId("error").hidden = !state.error;
  byId("error").textContent = state.error;
}

function showPipeline(state) {
  byId("span").textContent = state.ended ? "of the whole call" : `of the last ${duration(state.of)}`;
  const verdict = state.verdict;
  byId("verdict").textContent = verdict.charAt(0).toUpperCase() + verdict.slice(1) + ".";
  byId("shares").replaceChildren(...SHARES.map(([name, kind]) => {
    const part = make("div", kind);
    part.style.width = 100 * state.shares[name] + "%";
    return part;
  }));
  byId("share-keys").replaceChildren(...SHARES.map(([name, kind, label]) =>
    make("span", "key " + kind, `${label} ${percent(state.shares[name])}`)));
  byId("waiting").hidden = !state.waited;
  byId("waiting").textContent = 
    `The model is waiting for a batch${state.waiting ? " of " + state.waiting : ""}: ${duration(state.waited)} so far.`;
  const size = state.size, fill = size ? Math.min(size, state.queue) : 0;
  byId("figures").replaceChildren(
    figure("steps", rate(state.steps_rate), "per second"),
    figure("batches made", rate(state.batches_rate), "per second"),
    size ? figure("queue", fill.toFixed(1), `of ${size} batches`, fill / size) : figure("queue", "none", "(lock-step)"),
    figure(state.workers ? `${state.workers} workers work` : "generator works",
      percent(state.working.generator / Math.max(1, state.workers)), "of the time"),
    figure("generator waits for room", percent(state.room), "of the time"),
    figure("longest wait of the model", duration(state.longest), ""),
  );
  const remarks = [`${state.all_steps.toLocaleString("en")} steps and ${state.all_batches.toLocaleString("en")} batches so far.`];
  if (state.ended) remarks[0] = remarks[0].replace(" so far", "");
  if (state.redone) remarks.push(`${state.redone} batches were made again, because their worker died.`);
  if (state.fallback) remarks.push(`No ${state.fallback}.`);
  byId("remarks").textContent = remarks.join(" ");
  drawLanes(state.lanes, state.bars, byId("lanes"), byId("lane-keys"));
}

function show(fresh) {
  if (fresh) showMetrics();
  if (!pipeline) return;
  showCourse(pipeline);
  showPipeline(pipeline);
}

// -- where states come from ----------------------------------------------------------------------

function connect() {
  const events = new EventSource("events");
  events.addEventListener("metrics", (event) => { metrics = JSON.parse(event.data); showMetrics(); });
  events.addEventListener("pipeline", (event) => {
    pipeline = JSON.parse(event.data);
    show(false);
    if (pipeline.ended) events.close();
  });
  events.onerror = () => {
    if (pipeline && pipeline.ended) return;
    byId("phase").textContent = "connection lost";
    byId("phase").className = "phase lost";
  };
}

const held = byId("state");
if (held) {
  [metrics, pipeline] = JSON.parse(held.textContent);
  let before = "";
  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || window.parent === window) return;
    const text = JSON.stringify(event.data[0]), fresh = text !== before;
    [metrics, pipeline] = event.data;
    before = text;
    show(fresh);
  });
} else connect();

for (const id of ["smooth", "log"]) byId(id).addEventListener("change", showMetrics);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(true));
let width = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  show(true);
}).observe(document.body);
show(true);
