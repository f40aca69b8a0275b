#!/usr/bin/env python3
"""Compiles each public header alone, twice included, with the compiler given, and looks for #pragma once.

Usage: headers.py COMPILER [FLAG...]
"""
import concurrent.futures
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"


def check(header):
    name = header.relative_to(INCLUDE)
    text = header.read_text()
    if "#pragma once" not in text:
        return f"{name}: no #pragma once"
    part_of = re.search(r"Included by (\w+\.hpp) only", text.partition("#pragma once")[0])
    if part_of:  # the second half of another header, which is checked
        return None if (INCLUDE / "runnel" / part_of.group(1)).exists() else f"{name}: {part_of.group(1)} is not there"
    program = f"#include <{name}>\n#include <{name}>\n"
    for needed in re.findall(r"^#include (<boost/.*>)$", text, re.M):  # where that is there
        program = f"#if __has_include({needed})\n{program}#endif\n"
    done = subprocess.run(
        [*sys.argv[1:], "-std=c++20", "-fsyntax-only", f"-I{INCLUDE}", "-x", "c++", "-"],
        input=program, capture_output=True, text=True)
    return None if done.returncode == 0 else f"{name}: does not compile alone\n{done.stderr[:3000]}"


def main():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        faults = [f for f in pool.map(check, sorted(INCLUDE.rglob("*.hpp"))) if f]
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
