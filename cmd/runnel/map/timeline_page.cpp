// The page of --timeline up to its data. The colours are of Okabe and Ito's palette, which
// people who are colour-blind can tell apart; the dark background has lighter ones of the same hues.
#include "map/timeline_page.hpp"

namespace runnel_cli {

constexpr std::string_view timeline_page_before_data = R"page(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>runnel map: timeline</title>
<style>
:root {
  color-scheme: light dark;
  --page: #ffffff; --ink: #1b1f24; --faint: #59636e; --line: #d8dee4; --lane: #f3f5f7;
  --succeeded: #0072b2; --failed: #d55e00; --timed-out: #e69f00; --cancelled: #7a7a7a;
  --not-started: #cc79a7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --ink: #e8ebef; --faint: #9aa4af; --line: #323841; --lane: #1d2127;
    --succeeded: #56b4e9; --failed: #e8702a; --timed-out: #f0e442; --cancelled: #a0a0a0;
    --not-started: #d993ba;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1600px; padding: 20px 24px 40px; background: var(--page);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 20px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 28px 0 8px; }
p { margin: 4px 0; color: var(--faint); }
dl { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 16px 0; }
dt { color: var(--faint); font-size: 13px; }
dd { margin: 0; font-size: 19px; font-variant-numeric: tabular-nums; }
ul { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; margin: 8px 0; padding: 0; }
li::before { content: ""; display: inline-block; width: 12px; height: 12px; margin-right: 7px;
  border-radius: 2px; background: var(--colour); }
canvas { display: block; width: 100%; border: 1px solid var(--line); border-radius: 4px;
  cursor: grab; touch-action: none; }
canvas:focus-visible { outline: 2px solid var(--succeeded); outline-offset: 2px; }
#tip { position: fixed; z-index: 1; max-width: min(70ch, 90vw); padding: 7px 10px;
  pointer-events: none; background: var(--page); color: var(--ink);
  border: 1px solid var(--faint); border-radius: 4px; font-size: 13px; white-space: pre-wrap;
  overflow-wrap: anywhere; box-shadow: 0 2px 8px rgb(0 0 0 / 25%); }
#tip code { font-family: ui-monospace, monospace; font-weight: 600; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th { font-weight: normal; text-align: right; padding: 1px 10px 1px 0; white-space: nowrap; }
td { padding: 1px 0; white-space: nowrap; }
td i { display: inline-block; height: 12px; margin-right: 8px; vertical-align: -1px;
  background: var(--succeeded); border-radius: 2px; }
[hidden] { display: none; }
</style>
</head>
<body>
<noscript>This page draws with JavaScript, which is switched off.</noscript>
<h1 id="title"></h1>
<p id="began"></p>
<dl id="totals"></dl>
<h2>Jobs by worker</h2>
<ul id="legend"></ul>
<p id="notes"></p>
<canvas id="chart" tabindex="0" role="img"
  aria-label="A lane for each worker with a bar for each job; the totals are given as text"></canvas>
<p>Wheel: zoom. Drag: move. Double click: all. Keys: + and -, arrows, 0. Hover over a bar for its
job.</p>
<h2>How long jobs took</h2>
<dl id="latency"></dl>
<table id="histogram"></table>
<div id="tip" hidden></div>
<script id="data" type="application/json">
)page";

}  // namespace runnel_cli
