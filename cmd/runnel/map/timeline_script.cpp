// The script of the page of --timeline, which follows the data. What the data says gets into the page
// as text only, never as markup.
#include "map/timeline_page.hpp"

namespace runnel_cli {

constexpr std::string_view timeline_page_after_data = R"page(
</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const NUMBER = 0, WORKER = 1, START = 2, RUNTIME = 3, OUTCOME = 4, EXIT = 5, SIGNAL = 6,
  ATTEMPTS = 7, COMMAND = 8, REASON = 9;
const outcomes = ["succeeded", "failed", "timed out", "cancelled", "not started"];
const weights = [0, 4, 3, 1, 2];  // of bars on the same pixel, the heaviest is seen

function append(parent, tag, text) {
  const child = document.createElement(tag);
  if (text !== undefined) child.textContent = text;
  parent.append(child);
  return child;
}

// A duration, given in seconds.
function duration(s) {
  if (s < 1e-3) return +(s * 1e6).toPrecision(3) + " \u00b5s";
  if (s < 1) return +(s * 1e3).toPrecision(3) + " ms";
  if (s < 60) return +s.toPrecision(3) + " s";
  const whole = Math.round(s), two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return Math.floor(whole / 60) + " min " + two(whole % 60) + " s";
  return Math.floor(whole / 3600) + " h " + two(Math.floor(whole / 60) % 60) + " min";
}

const count = (n) => n.toLocaleString("en");
const percent = (x) => (100 * x).toFixed(1) + " %";

function addTerm(list, name, value) {
  const box = append(list, "div");
  append(box, "dt", name);
  append(box, "dd", value);
}

function showTotals() {
  document.title = data.title;
  element("title").textContent = data.title;
  if (data.began) {
    element("began").textContent = "Began " + data.began.slice(0, 19).replace("T", " ") + " UTC";
  }
  const totals = element("totals");
  addTerm(totals, "Jobs", count(data.total));
  addTerm(totals, "Workers", count(data.workers));
  addTerm(totals, "Elapsed", duration(data.elapsed));
  addTerm(totals, "Time in jobs", duration(data.busy));
  addTerm(totals, "Utilisation", data.utilisation === null ? "\u2013" : percent(data.utilisation));
  if (data.elapsed > 0) {
    addTerm(totals, "Jobs per second", String(+(data.total / data.elapsed).toPrecision(3)));
  }
  for (const [name, n] of Object.entries(data.outcomes)) {
    const entry = append(element("legend"), "li", name.replace("_", " ") + ": " + count(n));
    entry.style.setProperty("--colour", "var(--" + name.replace("_", "-") + ")");
  }
  const notes = [];
  if (data.not_drawn > 0) {
    notes.push("The first " + count(data.jobs.length) + " jobs that ended are drawn; " +
      count(data.not_drawn) + " more are counted in the numbers only.");
  }
  if (data.earlier_attempts > 0) {
    notes.push("Of jobs that were run again the last attempt is drawn and counted; " +
      count(data.earlier_attempts) + " earlier attempts are not.");
  }
  element("notes").textContent = notes.join(" ");
}

function showLatency() {
  const latency = data.latency, list = element("latency"), table = element("histogram");
  if (latency.count === 0) {
    append(list, "dd", "No job was started.");
    return;
  }
  addTerm(list, "Half within (p50)", duration(latency.p50));
  addTerm(list, "p90", duration(latency.p90));
  addTerm(list, "p99", duration(latency.p99));
  addTerm(list, "Longest", duration(latency.max));
  const most = Math.max(...latency.buckets.map((b) => b[2]));
  for (const [low, high, n] of latency.buckets) {
    const row = append(table, "tr");
    append(row, "th", high === null ? "from " + duration(low)
      : duration(low) + " \u2013 " + duration(high));
    const cell = append(row, "td");
    const bar = append(cell, "i");
    bar.style.width = n === 0 ? "0" : Math.max(1, 420 * n / most).toFixed(0) + "px";
    cell.append(count(n) + " (" + percent(n / latency.count) + ")");
  }
}

// The chart. Times are in microseconds since the run began; a lane is a worker's jobs by start.
const lanes = Array.from({ length: data.workers }, () => []);
let end = Math.max(1000, data.elapsed * 1e6);
for (const job of data.jobs) {
  const lane = lanes[Math.max(1, job[WORKER]) - 1];
  lane.push(job);
  end = Math.max(end, job[START] + job[RUNTIME]);
}
for (const lane of lanes) lane.sort((a, b) => a[START] - b[START]);

const canvas = element("chart"), pen = canvas.getContext("2d"), tip = element("tip");
const left = 56, top_ = 24, right = 8, shortest = 20;
const view = { from: 0, to: end, scroll: 0 };
let width = 0, height = 0, laneHeight = 0, colours = {};

function layOut() {
  const room = Math.max(240, window.innerHeight * 0.6);
  laneHeight = Math.min(26, Math.max(5, (room - top_) / lanes.length));
  height = Math.round(Math.min(room, top_ + laneHeight * lanes.length) + 1);
  canvas.style.height = height + "px";
  width = Math.max(left + right + 50, canvas.clientWidth);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  colours = { faint: colour("faint"), line: colour("line"),
    page: colour("page"), lane: colour("lane"),
    bars: outcomes.map((name) => colour(name.replace(" ", "-"))) };
  keepInside();
}

const plotWidth = () => width - left - right;
const toX = (t) => left + (t - view.from) / (view.to - view.from) * plotWidth();
const toTime = (x) => view.from + (x - left) / plotWidth() * (view.to - view.from);

function keepInside() {
  const span = Math.min(end, Math.max(shortest, view.to - view.from));
  view.from = Math.min(Math.max(0, view.from), end - span);
  view.to = view.from + span;
  const most = Math.max(0, top_ + laneHeight * lanes.length + 1 - height);
  view.scroll = Math.min(Math.max(0, view.scroll), most);
}

// The index of the last job of the lane that starts at `t` or before; -1: none.
function lastStart(lane, t) {
  let low = 0, high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane[middle][START] <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}

function tickStep() {
  const least = (view.to - view.from) / Math.max(2, plotWidth() / 90);
  const steps = [60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400].map((s) => s * 1e6);
  if (least <= 30e6) {
    const decade = 10 ** Math.floor(Math.log10(least));
    for (const factor of [1, 2, 5, 10]) if (decade * factor >= least) return decade * factor;
  }
  return steps.find((s) => s >= least) || Math.ceil(least / 86400e6) * 86400e6;
}

function tickText(t, step) {
  if (step < 60e6) {
    const decimals = Math.max(0, -Math.floor(Math.log10(step / 1e6) + 1e-9));
    return (t / 1e6).toFixed(decimals) + " s";
  }
  const minutes = Math.round(t / 60e6);
  return Math.floor(minutes / 60) + ":" + String(minutes % 60).padStart(2, "0") + " h";
}

function drawAxis() {
  const step = tickStep();
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (let i = Math.ceil(view.from / step); i * step <= view.to; ++i) {
    const x = Math.round(toX(i * step)) + 0.5;
    pen.fillStyle = colours.line;
    pen.fillRect(x - 0.5, top_, 1, height - top_);
    pen.fillStyle = colours.faint;
    pen.fillText(tickText(i * step, step), Math.min(Math.max(x, left + 14), width - 28), top_ / 2);
  }
}

// Bars narrower than a pixel share it; what is worst of them is drawn.
function drawLane(lane, y, thickness) {
  let pixel = -1, worst = 0;
  const flush = () => {
    if (pixel < 0) return;
    pen.fillStyle = colours.bars[worst];
    pen.fillRect(pixel, y, 1, thickness);
    pixel = -1;
  };
  for (let i = Math.max(0, lastStart(lane, view.from)); i < lane.length; ++i) {
    const job = lane[i], start = job[START], stop = start + job[RUNTIME];
    if (start > view.to) break;
    if (stop < view.from) continue;
    const x = Math.max(left, toX(start)), until = Math.min(width - right, toX(stop));
    if (until - x >= 2) {
      flush();
      pen.fillStyle = colours.bars[job[OUTCOME]];
      pen.fillRect(x, y, until - x - 0.5, thickness);  // a gap, so that jobs can be told apart
      continue;
    }
    const at = Math.floor(x);
    if (at !== pixel) {
      flush();
      pixel = at;
      worst = job[OUTCOME];
    } else if (weights[job[OUTCOME]] > weights[worst]) {
      worst = job[OUTCOME];
    }
  }
  flush();
}

// Calls paint(lane, y) for the lanes that are visible; what it draws does not reach beyond their place.
function eachLane(paint) {
  pen.save();
  pen.beginPath();
  pen.rect(0, top_, width, height - top_);
  pen.clip();
  for (let i = Math.floor(view.scroll / laneHeight); i < lanes.length; ++i) {
    const y = top_ + i * laneHeight - view.scroll;
    if (y >= height) break;
    paint(i, y);
  }
  pen.restore();
}

function draw() {
  pen.fillStyle = colours.page;
  pen.fillRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  const every = Math.ceil(14 / laneHeight);  // so that the labels do not overlap
  const gap = laneHeight >= 10 ? 2 : laneHeight >= 5 ? 1 : 0;
  eachLane((i, y) => {
    pen.fillStyle = colours.lane;
    pen.fillRect(left, y, plotWidth(), laneHeight - gap);
  });
  drawAxis();
  eachLane((i, y) => {
    if (i % every === 0) {
      pen.fillStyle = colours.faint;
      pen.textAlign = "right";
      pen.fillText(String(i + 1), left - 8, y + Math.max(laneHeight, 12) / 2);
    }
    drawLane(lanes[i], y, laneHeight - gap);
  });
}

let scheduled = false;
function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function zoom(factor, t) {
  const span = Math.min(end, Math.max(shortest, (view.to - view.from) * factor));
  view.from = t - (t - view.from) / (view.to - view.from) * span;
  view.to = view.from + span;
  keepInside();
  redraw();
}

function move(dx, dy) {
  const dt = dx / plotWidth() * (view.to - view.from);
  view.from += dt;
  view.to += dt;
  view.scroll += dy;
  keepInside();
  redraw();
}

function showAll() {
  view.from = 0;
  view.to = end;
  view.scroll = 0;
  keepInside();
  redraw();
}

// The job under a point, or one at most three pixels beside it.
function jobAt(x, y) {
  if (x < left || y < top_) return null;
  const lane = lanes[Math.floor((y - top_ + view.scroll) / laneHeight)];
  if (!lane) return null;
  const t = toTime(x);
  let best = null, nearest = toTime(x + 3) - t;
  for (let i = lastStart(lane, t) + 1, tries = 0; i >= 0 && tries < 3; --i, ++tries) {
    if (i >= lane.length) continue;
    const stop = lane[i][START] + lane[i][RUNTIME];
    const distance = Math.max(0, lane[i][START] - t, t - stop);
    if (distance <= nearest && (best === null || distance < nearest)) {
      best = lane[i];
      nearest = distance;
    }
  }
  return best;
}

function ending(job) {
  let text = outcomes[job[OUTCOME]];
  if (job[SIGNAL] !== 0) text += ", signal " + job[SIGNAL];
  else text += ", exit status " + job[EXIT];
  if (job[ATTEMPTS] > 1) text += ", attempt " + job[ATTEMPTS];
  if (job[REASON]) text += ": " + job[REASON];
  return text;
}

function showTip(event) {
  const box = canvas.getBoundingClientRect();
  const job = jobAt(event.clientX - box.left, event.clientY - box.top);
  tip.hidden = job === null;
  if (job === null) return;
  tip.textContent = "";
  append(tip, "code", job[COMMAND]);
  tip.append("\nJob " + job[NUMBER] + " on worker " + job[WORKER] + ": " + ending(job) +
    "\nStart " + (job[START] / 1e6).toFixed(3) + " s, took " + duration(job[RUNTIME] / 1e6));
  const x = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 6);
  const below = event.clientY + 18, above = event.clientY - tip.offsetHeight - 10;
  const fits = below + tip.offsetHeight < window.innerHeight;
  tip.style.left = Math.max(4, x) + "px";
  tip.style.top = Math.max(4, fits ? below : above) + "px";
}

let grip = null;
canvas.addEventListener("pointerdown", (event) => {
  grip = { x: event.clientX, y: event.clientY };
  canvas.setPointerCapture(event.pointerId);
  canvas.style.cursor = "grabbing";
  tip.hidden = true;
});
canvas.addEventListener("pointermove", (event) => {
  if (grip === null) return showTip(event);
  move(grip.x - event.clientX, grip.y - event.clientY);
  grip = { x: event.clientX, y: event.clientY };
});
for (const type of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(type, () => {
    grip = null;
    canvas.style.cursor = "";
  });
}
canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
canvas.addEventListener("dblclick", showAll);
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  tip.hidden = true;
  const pixels = event.deltaMode === 0 ? 1 : 16;
  const x = event.clientX - canvas.getBoundingClientRect().left;
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return move(event.deltaX * pixels, 0);
  if (event.shiftKey) return move(0, event.deltaY * pixels);
  zoom(Math.exp(event.deltaY * pixels * 0.002), toTime(Math.max(left, x)));
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const middle = (view.from + view.to) / 2;
  const actions = {
    "+": () => zoom(0.7, middle), "=": () => zoom(0.7, middle), "-": () => zoom(1 / 0.7, middle),
    "0": showAll, ArrowLeft: () => move(-80, 0), ArrowRight: () => move(80, 0),
    ArrowUp: () => move(0, -60), ArrowDown: () => move(0, 60),
  };
  const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
  if (!action) return;
  event.preventDefault();
  tip.hidden = true;
  action();
});

function start() {
  layOut();
  redraw();
}
window.addEventListener("resize", start);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", start);
showTotals();
showLatency();
start();
</script>
</body>
</html>
)page";

}  // namespace runnel_cli
