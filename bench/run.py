#!/usr/bin/env python3
"""Runs the peers' programs side by side and writes a table, a chart and the raw figures.

Programs take turns (A B C A B C ...), one at a time, so that what the machine does meanwhile hits all of them alike.
Before anything is timed each program is run with few operations: it checks its own answer, and one whose answer is
wrong is reported and left out.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

import chart
import report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NOT_AVAILABLE = 3  # exit status of a program that lacks the workload

PEERS = {  # in the order in which they take turns: (shown as, program, extra arguments)
    "runnel": ("runnel", "peer_runnel", []),
    "go": ("Go", "peer_go", []),
    "boost_fiber": ("Boost.Fiber", "peer_boost_fiber", []),
    "tokio": ("Tokio", "peer_tokio", []),
    "tokio_flume": ("Tokio + flume", "peer_tokio", ["--opt", "flume"]),
    "tbb": ("oneTBB", "peer_tbb", []),
    "asio": ("Asio", "peer_asio", []),
    "xargs": ("xargs -P", "xargs", []),
    "parallel": ("GNU parallel", "parallel", []),
}
QUICK_PEERS = ["runnel", "go", "tokio_flume", "tbb", "xargs"]
FLUME_SAME_AS_TOKIO = {"spawn", "yield", "select_default", "select_default_try", "mutex_free", "mutex_8", "sleepers",
                       "timer_stop", "parked_mem", "fib", "fib_chan", "echo"}  # no channel in them


class Failed(Exception):
    """A program ended badly, gave a wrong answer or took too long."""


class Absent(Exception):
    """The program lacks the workload, or is not built."""


class Programs:
    """Starts the programs and reads what they print: {metric: value}."""

    def __init__(self, build, timeout):
        self.build = build
        self.timeout = timeout

    def run(self, row, peer, threads, n):
        kind = row.get("kind")
        if kind == "echo":
            return self._echo(peer)
        if kind == "map":
            return self._map(peer, n or 2000)
        workload = row.get("runs", {}).get(peer, row["name"])
        command = [str(self._path(peer)), workload, "--threads", str(threads)] + PEERS[peer][2]
        if n:
            command += ["--n", str(n)]
        return self._output(command)

    def _path(self, peer):
        path = self.build / "peers" / PEERS[peer][1]
        if not path.exists():
            raise Absent("not built")
        return path

    def _output(self, command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"more than {self.timeout} s") from None
        if done.returncode == NOT_AVAILABLE:
            raise Absent("n/a")
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise Failed(f"status {done.returncode}: {last}")
        fields = [line.split("\t") for line in done.stdout.splitlines()]
        return {f[0]: float(f[2]) for f in fields if len(f) == 4}

    def _echo(self, peer):
        """The server on the first CPU, the client on the second."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        cpus = sorted(os.sched_getaffinity(0))
        pin = lambda k: ["taskset", "-c", str(cpus[k % len(cpus)])]
        server = subprocess.Popen(pin(0) + [str(self._path(peer)), "echo", "--port", port] + PEERS[peer][2],
                                  stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(0.2)
            if server.poll() == NOT_AVAILABLE:
                raise Absent("n/a")
            return self._output(pin(1) + [str(self.build / "peers" / "echo_client"), "--port", port])
        finally:
            server.terminate()
            server.communicate()

    def _map(self, peer, jobs):
        tools = {"runnel": [str(next(self.build.glob("**/runnel/runnel"), self.build / "runnel")), "map", "-j", "2"],
                 "xargs": ["xargs", "-P", "2", "-n", "1"], "parallel": ["parallel", "-j", "2"]}
        if peer not in tools or not shutil.which(tools[peer][0]):
            raise Absent("n/a")
        items = "".join(f"{i}\n" for i in range(jobs))
        start = time.monotonic()
        try:
            done = subprocess.run(tools[peer] + ["true"], input=items, text=True, capture_output=True,
                                  timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"more than {self.timeout} s") from None
        if done.returncode != 0:
            raise Failed(f"status {done.returncode}")
        return {"map": jobs / (time.monotonic() - start)}


def thread_counts(row, asked):
    if row.get("kind") == "echo":
        return [1]
    if row.get("kind") == "map":
        return [2]
    return asked


def peers_of(row, peers):
    if row.get("kind") == "map":
        return [p for p in peers if p in ("runnel", "xargs", "parallel")]
    skip = {"xargs", "parallel"} | ({"tokio_flume"} if row["name"] in FLUME_SAME_AS_TOKIO else set())
    # a quick run names only the flume variant: the plain one stands in where there are no channels
    stand_in = ["tokio"] if "tokio_flume" in peers and "tokio" not in peers and "tokio_flume" in skip else []
    return [p for p in peers + stand_in if p not in skip]


def measure(row, threads, peers, programs, rounds, quick):
    """Runs one row with so many threads. {peer: [{metric: value}, ...]}, or {peer: text} for one that failed."""
    runs, running = {}, []
    for peer in peers:
        try:
            if not quick and "check_n" in row:
                programs.run(row, peer, threads, row["check_n"])
            running.append(peer)
        except Absent:
            pass
        except Failed as e:
            runs[peer] = str(e)
    for _ in range(rounds):
        for peer in list(running):
            try:
                values = programs.run(row, peer, threads, row.get("quick_n") if quick else None)
                runs.setdefault(peer, []).append(values)
            except Absent:
                running.remove(peer)
            except Failed as e:
                runs[peer] = str(e)
                running.remove(peer)
    return runs


def summary(row, runs):
    """{peer: {median, min, max, samples, also}}, or {peer: {error}}, of a row's metric."""
    found = {}
    for peer, values in runs.items():
        if isinstance(values, str):
            found[peer] = {"error": values}
            continue
        metric = row.get("metric") or next(iter(values[0]))
        samples = [v[metric] for v in values]
        found[peer] = {"median": statistics.median(samples), "min": min(samples), "max": max(samples),
                       "samples": samples}
        others = {k: statistics.median(v[k] for v in values) for k in values[0] if k != metric}
        if others:
            found[peer]["also"] = others
    return found


def first_line(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
        return out.splitlines()[0] if out else ""
    except OSError:
        return ""


def cache_value(build, name):
    cache = build / "CMakeCache.txt"
    found = re.search(rf"^{name}:[A-Z]+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found.group(1) if found else ""


def machine(build):
    """What the figures were made with."""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               os.uname().machine)
    versions_file = build / "peers" / "versions.json"
    versions = json.loads(versions_file.read_text()) if versions_file.exists() else {}
    return {
        "cpu": cpu,
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": os.uname().release,
        "compiler": first_line(cache_value(build, "CMAKE_CXX_COMPILER") or "c++", "--version"),
        "build": cache_value(build, "CMAKE_BUILD_TYPE"),
        "versions": versions,
        "commit": first_line("git", "rev-parse", "--short=12", "HEAD"),
        "changed": bool(first_line("git", "status", "--porcelain", "--untracked-files=no")),
        "date": time.strftime("%Y-%m-%d"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def parse_arguments():
    targets = json.loads((HERE / "targets.json").read_text())
    names = [r["name"] for r in targets["rows"]]
    p = argparse.ArgumentParser(prog="bench/run", description="Runs the benchmarks side by side; see docs/performance.md.",
                                epilog="bench/run --micro [ARG...]: single operations, with Google Benchmark. "
                                       "bench/run --gate [--update NAME]: instruction counts.")
    p.add_argument("workload", nargs="*", help="only these rows: " + " ".join(names))
    p.add_argument("--quick", action="store_true", help="about a minute: fewer operations, rounds and peers")
    p.add_argument("--rounds", type=int, help="rounds (default: 5; quick: 3)")
    p.add_argument("--peers", help="only these, comma-separated: " + ",".join(PEERS))
    p.add_argument("--threads", default="1,2", help="processors (default: 1,2)")
    p.add_argument("--timeout", type=int, default=60, help="seconds a program may take (default: 60)")
    p.add_argument("--build", default=str(ROOT / "build" / "bench"), help="the build directory")
    p.add_argument("--out", default=str(HERE / "results"), help="where the results go")
    a = p.parse_args()
    unknown = [w for w in a.workload if w not in names]
    if unknown:
        p.error(f"no such workload: {' '.join(unknown)}; there are: {' '.join(names)}")
    a.peers = a.peers.split(",") if a.peers else (QUICK_PEERS if a.quick else list(PEERS))
    if any(q not in PEERS for q in a.peers):
        p.error(f"peers are: {','.join(PEERS)}")
    a.threads = [int(t) for t in a.threads.split(",")]
    a.targets = targets
    return a


def main():
    a = parse_arguments()
    build, out = pathlib.Path(a.build).resolve(), pathlib.Path(a.out).resolve()
    programs = Programs(build, a.timeout)
    info = machine(build)
    if info["load_before"] > 0.5 * info["cpus"]:
        print(f"warning: the load is {info['load_before']}: other programs are running, figures will be off",
              file=sys.stderr)
    results, runs = {}, {}
    started = time.monotonic()
    for row in a.targets["rows"]:
        if a.workload and row["name"] not in a.workload:
            continue
        slow = a.quick and row.get("slow")
        rounds = 1 if slow else a.rounds or (3 if a.quick else 5)
        peers = [p for p in a.peers if p in ("runnel", "go", "xargs")] if slow else a.peers
        for threads in thread_counts(row, a.threads):
            key = (row.get("same_runs_as", row["name"]), threads)
            if key not in runs:
                runs[key] = measure(row, threads, peers_of(row, peers), programs, rounds, a.quick)
            found = summary(row, runs[key])
            results.setdefault(row["name"], {})[str(threads)] = found
            print(report.progress_line(row, threads, found, PEERS), flush=True)
    info["minutes"] = round((time.monotonic() - started) / 60, 1)
    info["quick"] = a.quick
    data = {"machine": info, "results": results}
    verdicts = report.judge(data, a.targets)
    partial = a.workload or len(a.peers) < len(PEERS)
    name = "quick" if a.quick else "partial" if partial else "results"
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(data | {"verdicts": verdicts}, indent=1) + "\n")
    (out / f"{name}.md").write_text(report.markdown(data, a.targets, verdicts, PEERS))
    (out / f"{name}.svg").write_text(chart.svg(data, a.targets, verdicts, PEERS))
    print(f"\nwritten: {os.path.relpath(out)}/{name}.{{json,md,svg}} ({info['minutes']} minutes)")
    wrong = [f"{w} ({t}, {PEERS[p][0]}): {r['error']}" for w, by in results.items() for t, found in by.items()
             for p, r in found.items() if "error" in r]
    for line in wrong:
        print("failed: " + line)
    return 1 if any("runnel" in found and "error" in found["runnel"] for by in results.values()
                    for found in by.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
