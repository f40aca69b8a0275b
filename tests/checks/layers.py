#!/usr/bin/env python3
"""Compares every #include with the layers of tools/layers.txt."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<(runnel/[^>]+)>|"([^"]+)")', re.M)
SUFFIXES = {".hpp", ".cpp", ".S", ".h"}


def read_table():
    level, owner, allowed = {}, {}, {}
    for line in (ROOT / "tools/layers.txt").read_text().splitlines():
        word, *rest = line.split("#")[0].split() or [""]
        if word == "level":
            level.update({module: int(rest[0]) for module in rest[1:]})
        elif word == "headers":
            owner.update({header: rest[0] for header in rest[1:]})
        elif word == "allow":
            allowed.setdefault(rest[0], set()).update(rest[1:])
        elif word:
            sys.exit(f"layers.txt: {line}")
    return level, owner, allowed


LEVEL, OWNER, ALLOWED = read_table()


def module_of(path):
    """The module of a file of src or include, "detail", "umbrella", or None for everything above."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "src":
        return parts[1]
    if parts[0] == "include":
        if parts[2] == "detail":
            return "detail"
        return "umbrella" if path.stem == "runnel" else OWNER.get(path.stem, f"?{path.stem}")
    return None


def target_of(source, public, quoted):
    """What an include names: ("public" or "src" or "local", module)."""
    if public:
        return "public", module_of(ROOT / "include" / public)
    if (ROOT / "src" / quoted).exists() and not (source.parent / quoted).exists():
        return "src", quoted.split("/")[0]
    found = (source.parent / quoted).resolve()
    if found.is_relative_to(ROOT / "src"):
        return "src", module_of(found)
    return "local", None


def fault(source, public, quoted):
    mine = module_of(source)
    kind, theirs = target_of(source, public, quoted)
    if kind == "local" or theirs == "detail":
        return None
    if kind == "src":
        if mine is None or source.is_relative_to(ROOT / "include"):
            return "an internal header"
    elif mine in (None, "detail", "umbrella"):
        return None
    if theirs == "umbrella":
        return "the umbrella header"
    for module in (mine, theirs):
        if module not in LEVEL:
            return f"{module} is not in tools/layers.txt"
    if mine == theirs or LEVEL[theirs] < LEVEL[mine] or theirs in ALLOWED.get(mine, ()):
        return None
    return f"{mine} (level {LEVEL[mine]}) may not include {theirs} (level {LEVEL[theirs]})"


def main():
    faults = 0
    for top in ("src", "include", "cmd", "tests", "examples", "bench"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            text = path.read_text()
            for found in INCLUDE.finditer(text):
                # White-box tests stand above what they test.
                if path.name.endswith("_test.cpp") and path.is_relative_to(ROOT / "src"):
                    continue
                why = fault(path, found[1], found[2])
                if why:
                    line = text.count("\n", 0, found.start(found.lastindex)) + 1
                    print(f"{path.relative_to(ROOT)}:{line}: {found[1] or found[2]}: {why}")
                    faults += 1
    return 1 if faults else 0


sys.exit(main())
