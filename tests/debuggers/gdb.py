#!/usr/bin/env python3
"""tools/runnel-gdb.py lists goroutines and shows the stacks of those that wait; the program goes on afterwards.

Usage: gdb.py PROGRAM
"""
import pathlib
import re
import shutil
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools/runnel-gdb.py"
# The last one is the last that another thread would begin. Its number depends on the processor that main is on.
BT_OF_THE_LAST = 'python gdb.execute("goroutine %d bt" % max(int(s["id"]) for s in goroutines()))'


def gdb(program, scenario, *commands):
    arguments = ["gdb", "-batch", "-nx", "-ex", f"source {SCRIPT}"]
    for command in commands:
        arguments += ["-ex", command]
    done = subprocess.run([*arguments, "--args", program, scenario], capture_output=True, text=True, timeout=200)
    return done.stdout + done.stderr


def main(program):
    if not shutil.which("gdb"):
        print("gdb is not installed")
        return 77
    text = gdb(program, "stop", "break stop_here", "run", "info goroutines")
    if "ptrace" in text:
        print("gdb may not trace programs here\n" + text)
        return 77
    rows = {m[2]: m[1] for m in re.finditer(r"^ +(\d+)  chan receive +(free|locked) +started in .*debugged\.cpp", text, re.M)}
    faults = [name for name in ("free", "locked") if name not in rows]
    if faults or not re.search(r"^ +1  running +main", text, re.M):
        print(f"not in the list: {faults}\n{text}")
        return 1
    text = gdb(program, "stop", "break stop_here", "run", f"goroutine {rows['free']} bt", "echo --\\n",
               f"goroutine {rows['locked']} bt", "goroutine 1 bt 1", "goroutine 999 bt", "continue")
    free, _, rest = text.partition("--\n")
    for what, found in {"the stack of one that waits": "wait_here" in free,
                        "that of one locked to its thread": "wait_here" in rest,
                        "that of the one that runs": re.search(r"#0 .*stop_here", rest),
                        "no such goroutine": "no goroutine 999" in rest,
                        "the end": "exited normally" in rest}.items():
        if not found:
            print(f"missing: {what}\n{text}")
            return 1
    text = gdb(program, "start", "break stop_here", "run", "info goroutines", BT_OF_THE_LAST)
    if not re.search(r"^ +\d+  runnable +started in ", text, re.M) or "has not begun" not in text:
        print(f"those that have not begun are not shown\n{text}")
        return 1
    return 0


sys.exit(main(sys.argv[1]))
