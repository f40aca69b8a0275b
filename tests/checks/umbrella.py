#!/usr/bin/env python3
"""The umbrella headers: runnel.hpp includes every header of the core, sync.hpp those of sync."""
import pathlib
import re
import sys

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include" / "runnel"
# Components are targets of their own, and included by name.
COMPONENTS = {"net", "process", "signal", "asio"}


def reached(name, seen):
    if name not in seen:
        seen.add(name)
        path = INCLUDE / f"{name}.hpp"
        text = path.read_text() if path.exists() else ""
        for included in re.findall(r"^#include <runnel/(\w+)\.hpp>", text, re.M):
            reached(included, seen)
    return seen


def main():
    core = {p.stem for p in INCLUDE.glob("*.hpp")} - COMPONENTS
    missing = core - reached("runnel", set())
    extra = COMPONENTS & reached("runnel", set())
    if not (INCLUDE / "runnel.hpp").exists():
        print("there is no runnel.hpp")
    if missing:
        print("runnel.hpp lacks:", *sorted(missing))
    if extra:
        print("runnel.hpp includes components:", *sorted(extra))
    return 1 if missing or extra else 0


sys.exit(main())
