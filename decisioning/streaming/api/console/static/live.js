// The Live page: one clock asks for numbers and for the newest decisions, draws the two charts, and can be paused.
"use strict";

const EVERY_MS = 2000;
const OUTCOMES = ["act", "suppress", "defer", "recall", "hold", "release"];
const WORDS = { act: "Say", suppress: "Keep silent", defer: "Not now", recall: "Take back", hold: "Hold", release: "Release" };
const MOST_LINES = 7;

const newest = document.getElementById("newest");
const pause = document.getElementById("pause");
let paused = false;
let last = null;
const plots = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

function axis(more) {
  return { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui", ...more };
}

function draw(id, at, lines) {
  const box = document.getElementById(id);
  const key = lines.map((line) => line.label).join("\n");
  const kept = plots.get(id);
  const data = [at, ...lines.map((line) => line.values)];
  if (kept && kept.key === key) {
    kept.plot.setData(data);
    rest(kept.plot);
    return;
  }
  kept?.plot.destroy();
  const plot = new uPlot(
    {
      width: box.clientWidth,
      height: 220,
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.1, 6)] } },
      axes: [axis({ space: 60, size: 30, values: (_, splits) => splits.map(clock) }), axis({ size: 44 })],
      series: [
        { label: "UTC", value: (_, t) => (t === null ? "" : clock(t)) },
        ...lines.map((line) => ({
          label: line.label,
          stroke: line.colour,
          width: 1.75,
          points: { show: false },
          value: (_, value) => (value === null ? "" : String(Math.round(value))),
        })),
      ],
    },
    data,
    box,
  );
  plots.set(id, { plot, key });
  rest(plot);
}

// While nobody points at a place, the legend says the newest numbers.
function rest(plot) {
  setTimeout(() => {
    if (plot.cursor.left == null || plot.cursor.left < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
  });
}

function show() {
  if (last === null) return;
  draw("outcomes", last.at, OUTCOMES.map((name) => ({ label: WORDS[name], colour: colour(name), values: last.outcomes[name] })));
  const reasons = Object.entries(last.reasons).slice(0, MOST_LINES);
  draw("reasons", last.at, reasons.map(([name, values], place) => ({ label: name, colour: colour(`c${place}`), values })));
}

async function tick() {
  if (paused || document.hidden) return;
  htmx.trigger(newest, "tick");
  try {
    const answer = await fetch("/console/live/series", { credentials: "same-origin", redirect: "error" });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    last = await answer.json();
    show();
  } catch {
    // The worker is away: what is drawn stays, and the next tick asks again.
  }
}

function anew() {
  for (const { plot } of plots.values()) plot.destroy();
  plots.clear();
  show();
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return;
  width = innerWidth;
  anew();
});
setInterval(tick, EVERY_MS);
tick();
