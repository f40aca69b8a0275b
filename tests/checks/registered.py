#!/usr/bin/env python3
"""Every *_test.cpp and every program of the misuse tests is built.

Usage: registered.py FILE, a list of what CMake builds.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    built = {pathlib.Path(line).resolve() for line in pathlib.Path(sys.argv[1]).read_text().split("\n")}
    found = [p for top in ("tests", "src", "cmd", "examples") for p in (ROOT / top).rglob("*_test.cpp")]
    found += (ROOT / "tests/misuse/programs").glob("*.cpp")
    missing = sorted(str(p.relative_to(ROOT)) for p in found if p not in built)
    for name in missing:
        print(f"{name} is built by no target")
    return 1 if missing else 0


sys.exit(main())
