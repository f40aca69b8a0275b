#!/usr/bin/env python3
"""Compiles each public header alone, twice included, with the compiler given, and looks for #pragma once.

Usage: headers.py COMPILER [FLAG...]
"""
import concurrent.futures
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"


def check(header):
    name = header.relative_to(INCLUDE)
    if "#pragma once" not in header.read_text():
        return f"{name}: no #pragma once"
    done = subprocess.run(
        [*sys.argv[1:], "-std=c++20", "-fsyntax-only", f"-I{INCLUDE}", "-x", "c++", "-"],
        input=f"#include <{name}>\n#include <{name}>\n", capture_output=True, text=True)
    return None if done.returncode == 0 else f"{name}: does not compile alone\n{done.stderr[:3000]}"


def main():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        faults = [f for f in pool.map(check, sorted(INCLUDE.rglob("*.hpp"))) if f]
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())
