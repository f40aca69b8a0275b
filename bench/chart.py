"""Draws the figures as an SVG: a row per workload, each peer a dot at its cost in relation to Go's, on a log scale."""
import html
import math

import report

COLOURS = {"runnel": "#d6336c", "go": "#1098ad", "boost_fiber": "#5c940d", "tokio": "#e8590c", "tokio_flume": "#f59f00",
           "tbb": "#5f3dc4", "asio": "#868e96", "xargs": "#495057", "parallel": "#adb5bd"}
LEFT, RIGHT, TOP, LINE, GAP, WIDTH = 230, 130, 104, 17, 8, 1000
LEAST, MOST = 1 / 32, 32  # the ends of the scale; what lies beyond is drawn at the end


def x_of(ratio):
    ratio = min(max(ratio, LEAST), MOST)
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(ratio / LEAST) / math.log(MOST / LEAST)


def text(x, y, words, anchor="start", size=12, colour="#212529", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}" '
            f'font-weight="{weight}">{html.escape(words, quote=False)}</text>')


def dot(x, y, peer, best):
    ring = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="#212529" stroke-width="1.2"/>' if best else "")
    radius = 5.5 if peer == "runnel" else 4
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{COLOURS[peer]}"/>' + ring


def diamond(x, y):
    return (f'<path d="M{x:.1f} {y - 6:.1f}l5 6l-5 6l-5 -6z" fill="none" stroke="{COLOURS["runnel"]}" '
            'stroke-width="1.4"/>')


def scale(bottom):
    out = []
    for k in range(-5, 6):
        x = x_of(2.0 ** k)
        strong = k == 0
        out.append(f'<line x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{bottom}" '
                   f'stroke="{"#1098ad" if strong else "#e9ecef"}" stroke-width="{1.5 if strong else 1}"/>')
        label = f"{2 ** k}x" if k > 0 else "as Go" if strong else f"1/{2 ** -k}"
        out.append(text(x, TOP - 16, label, "middle", 11, "#495057"))
    return out


def legend(used, peers):
    out, x = [], LEFT
    for peer in used:
        out.append(dot(x, 48, peer, False))
        out.append(text(x + 9, 52, peers[peer][0], size=12))
        x += 24 + 7 * len(peers[peer][0])
    out += [diamond(x + 4, 48), text(x + 14, 52, "target"),
            f'<circle cx="{x + 72}" cy="48" r="7" fill="none" stroke="#212529" stroke-width="1.2"/>',
            text(x + 84, 52, "best")]
    return out


def sub_row(row, threads, found, verdict, y):
    """The dots of one row on one number of processors."""
    values = report.medians(found)
    reference = row.get("reference", "go")
    base = values.get(reference)
    out = [text(LEFT - 12, y + 4, f"{threads} CPU" + ("s" if threads != "1" else ""), "end", 10, "#868e96")]
    if base is None:
        return out + [text(LEFT, y + 4, "nothing to compare with", size=10, colour="#868e96")]
    costs = {p: report.cost_ratio(row, v, base) for p, v in values.items()}
    best = min(costs, key=costs.get)
    for p in sorted(costs, key=lambda p: p == "runnel"):
        out.append(dot(x_of(costs[p]), y, p, p == best))
    if "target_ratio" in verdict:
        out.append(diamond(x_of(verdict["target_ratio"]), y))
    if "runnel" in values:
        words = f"{report.number(values['runnel'])} {row['unit']}"
        out.append(text(WIDTH - RIGHT + 12, y + 4, words, size=11, colour=COLOURS["runnel"]))
        if "met" in verdict:
            out.append(text(WIDTH - 14, y + 4, "✓" if verdict["met"] else "✗", "end", 12,
                            "#2b8a3e" if verdict["met"] else "#c92a2a", "bold"))
    return out


def svg(data, targets, verdicts, peers):
    rows = report.rows_measured(data, targets)
    used = [p for p in peers if any(p in report.medians(f) for by in data["results"].values() for f in by.values())]
    body, y = [], TOP
    for row in rows:
        by_threads = data["results"][row["name"]]
        height = LINE * len(by_threads)
        reference = row.get("reference", "go")
        body.append(text(8, y + height / 2 + 4, row["name"], size=12, weight="bold"))
        if reference != "go":
            words = f"against {peers[reference][0]}"
            body.append(text(8 + 8 * len(row["name"]), y + height / 2 + 4, words, size=10, colour="#868e96"))
        for k, (threads, found) in enumerate(by_threads.items()):
            body += sub_row(row, threads, found, verdicts[row["name"]][threads], y + LINE * k + LINE / 2)
        y += height + GAP
        body.append(f'<line x1="8" y1="{y - GAP / 2}" x2="{WIDTH - 8}" y2="{y - GAP / 2}" stroke="#f1f3f5"/>')
    info = data["machine"]
    caption = f"{info['cpu']}, {info['cpus']} CPUs; {info['compiler']}; commit {info['commit']}, {info['date']}"
    head = [text(8, 22, "Cost in relation to Go (left is better); medians", size=16, weight="bold"),
            text(8, y + 18, caption, size=11, colour="#868e96")]
    height = y + 30
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'font-family="system-ui, sans-serif">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
            + "\n".join(head + legend(used, peers) + scale(y) + body) + "\n</svg>\n")
