"""Judges measured figures against the targets and writes them as a Markdown table."""


def rows_measured(data, targets):
    return [r for r in targets["rows"] if r["name"] in data["results"]]


def medians(found):
    return {p: r["median"] for p, r in found.items() if "median" in r}


def is_better(row, a, b):
    return a > b if row.get("better") == "higher" else a < b


def best_other(row, found):
    """The best peer besides runnel, or None."""
    values = {p: v for p, v in medians(found).items() if p != "runnel"}
    best = None
    for p, v in values.items():
        if best is None or is_better(row, v, values[best]):
            best = p
    return best


def cost_ratio(row, ours, theirs):
    """Below one: we are ahead, whichever way the figure counts."""
    return theirs / ours if row.get("better") == "higher" else ours / theirs


def judge_row(row, threads, found, tolerance):
    values = medians(found)
    reference = row.get("reference", "go")
    target = row.get("targets", {}).get(threads)
    verdict = {}
    if "runnel" in values and reference in values:
        verdict["ratio"] = cost_ratio(row, values["runnel"], values[reference])
    if target:
        base = target["other"] if reference != "go" else target["go"]
        verdict["target_ratio"] = cost_ratio(row, target["target"], base)
    if "ratio" in verdict and "target_ratio" in verdict:
        verdict["met"] = verdict["ratio"] <= tolerance * verdict["target_ratio"]
    other = best_other(row, found)
    if other:
        verdict["best_other"] = other
        if "runnel" in values:
            verdict["ratio_to_best"] = cost_ratio(row, values["runnel"], values[other])
    return verdict


def judge(data, targets):
    """{row: {threads: {ratio, target_ratio, met, best_other, ratio_to_best}}}, and "quotient" where a row has one."""
    verdicts = {}
    for row in rows_measured(data, targets):
        by_threads = data["results"][row["name"]]
        verdicts[row["name"]] = {t: judge_row(row, t, found, targets["tolerance"])
                                 for t, found in by_threads.items()}
        if "quotient" in row and {"1", "2"} <= by_threads.keys():
            verdicts[row["name"]]["quotient"] = judge_quotient(row, by_threads)
    return verdicts


def judge_quotient(row, by_threads):
    one, two = medians(by_threads["1"]), medians(by_threads["2"])
    quotients = {p: two[p] / one[p] for p in one if p in two}
    target = row["quotient"]["target"]
    verdict = {"target": target, "quotients": quotients}
    if "runnel" in quotients:
        verdict["met"] = quotients["runnel"] <= target
    return verdict


def number(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(result):
    """median (min-max)."""
    if result is None:
        return ""
    if "error" in result:
        return result["error"].replace("|", "/")
    return f"{number(result['median'])} ({number(result['min'])}–{number(result['max'])})"


def mark(verdict):
    return {True: "met", False: "**missed**"}.get(verdict.get("met"), "")


def progress_line(row, threads, found, peers):
    parts = [f"{peers[p][0]} {number(r['median'])}" if "median" in r else f"{peers[p][0]}: {r['error']}"
             for p, r in found.items()]
    return f"{row['name']} on {threads} ({row['unit']}): " + (", ".join(parts) or "nothing ran")


def machine_lines(info):
    versions = ", ".join(f"{k} {v}" for k, v in info["versions"].items() if v)
    commit = info["commit"] + (" with uncommitted changes" if info["changed"] else "")
    lines = [f"- machine: {info['cpu']}, {info['cpus']} CPUs, Linux {info['kernel']}; load before the run {info['load_before']}",
             f"- compiler: {info['compiler']}, {info['build']} build", f"- compared: {versions}",
             f"- commit {commit}, {info['date']}, {info['minutes']} minutes"]
    if info["quick"]:
        lines.append("- a quick run: few operations and rounds, rough figures")
    return lines


def summary_table(data, targets, verdicts, peers):
    lines = ["| workload | unit | CPUs | runnel | Go | best other | ours / Go | target / Go | target |",
             "|---|---|--:|--:|--:|--:|--:|--:|---|"]
    for row in rows_measured(data, targets):
        for threads, found in data["results"][row["name"]].items():
            v = verdicts[row["name"]][threads]
            others = {p: r for p, r in found.items() if p != "go"}
            best = best_other(row, others)
            best_text = f"{peers[best][0]} {number(found[best]['median'])}" if best else ""
            against = "" if row.get("reference", "go") == "go" else f" of {peers[row['reference']][0]}"
            ratio = f"{v['ratio']:.2f}{against}" if "ratio" in v else ""
            target = f"{v['target_ratio']:.2f}{against}" if "target_ratio" in v else ""
            lines.append(f"| `{row['name']}` | {row['unit']} | {threads} | {spread(found.get('runnel'))} | "
                         f"{spread(found.get('go'))} | {best_text} | {ratio} | {target} | {mark(v)} |")
    return lines


def quotient_table(data, targets, verdicts, peers):
    rows = [r for r in rows_measured(data, targets) if "quotient" in verdicts[r["name"]]]
    if not rows:
        return []
    lines = ["", "Time on two processors / own time on one (0.5 at best):", "",
             "| workload | runnel | others | target | |", "|---|--:|---|--:|---|"]
    for row in rows:
        v = verdicts[row["name"]]["quotient"]
        q = dict(v["quotients"])
        ours = q.pop("runnel", None)
        others = ", ".join(f"{peers[p][0]} {x:.2f}" for p, x in sorted(q.items(), key=lambda i: i[1]))
        lines.append(f"| `{row['name']}` | {number(ours)} | {others} | {v['target']} | {mark(v)} |")
    return lines


def all_peers_table(data, targets, peers):
    used = [p for p in peers if any(p in found for by in data["results"].values() for found in by.values())]
    lines = ["", "All peers: median (least–most).", "",
             "| workload | unit | CPUs | " + " | ".join(peers[p][0] for p in used) + " |",
             "|---|---|--:|" + "--:|" * len(used)]
    for row in rows_measured(data, targets):
        for threads, found in data["results"][row["name"]].items():
            cells = " | ".join(spread(found.get(p)) for p in used)
            lines.append(f"| `{row['name']}` | {row['unit']} | {threads} | {cells} |")
    return lines


def markdown(data, targets, verdicts, peers):
    judged = [v["met"] for by in verdicts.values() for v in by.values() if "met" in v]
    lines = ["# Benchmark results", "", *machine_lines(data["machine"]), "",
             f"{sum(judged)} of {len(judged)} targets met. A target is met when ours / Go is at most "
             f"{targets['tolerance']} x (target / Go). How to read this: docs/performance.md.", "",
             *summary_table(data, targets, verdicts, peers), *quotient_table(data, targets, verdicts, peers),
             *all_peers_table(data, targets, peers)]
    return "\n".join(lines) + "\n"
