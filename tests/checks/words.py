#!/usr/bin/env python3
"""No file of the project names a place on one machine, or says that something is unfinished."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
PLACES = re.compile(r"(?<![\w.}])/(wo" r"rk|ro" r"ot|ho" r"me/\w+|Us" r"ers)/")


def files():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.splitlines()]
    return [p for p in ROOT.rglob("*") if p.is_file() and "build" not in p.parts[:1]]


def main():
    faults = 0
    for path in files():
        try:
            lines = path.read_text().splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, line in enumerate(lines, 1):
            for pattern in (UNFINISHED, PLACES):
                found = pattern.search(line)
                if found:
                    print(f"{path.relative_to(ROOT)}:{number}: {found[0]}")
                    faults += 1
    return 1 if faults else 0


sys.exit(main())
