#!/usr/bin/env python3
"""Keeps the code in the documents equal to the examples it was taken from.

A document says where a block of code comes from in a comment on the line before it:

    <!-- examples/guide/first.cpp -->            the whole file
    <!-- examples/guide/channels.cpp [select] -->  what stands between // [select] and // [/select]

Without arguments: compares, and fails with a list of the blocks that differ. --update: writes the
code of the examples into the documents.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(
    r"(?P<head><!-- (?P<path>examples/\S+\.cpp)(?: \[(?P<name>\w+)\])? -->\n```cpp\n)"
    r"(?P<code>.*?)(?P<tail>^```$)",
    re.DOTALL | re.MULTILINE,
)


def snippet(path, name):
    text = (ROOT / path).read_text()
    if name is None:
        return text
    found = re.search(
        rf"^ *// \[{name}\]\n(.*?)^ *// \[/{name}\]$", text, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise SystemExit(f"{path}: no part [{name}]")
    return textwrap.dedent(found.group(1))


def main(arguments):
    update = "--update" in arguments
    blocks = 0
    stale = []
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:

        def replace(match):
            nonlocal blocks
            blocks += 1
            code = snippet(match["path"], match["name"])
            if code != match["code"]:
                part = f" [{match['name']}]" if match["name"] else ""
                stale.append(f"{document.relative_to(ROOT)}: {match['path']}{part}")
            return match["head"] + code + match["tail"]

        before = document.read_text()
        after = BLOCK.sub(replace, before)
        if update and after != before:
            document.write_text(after)
    if blocks == 0:
        raise SystemExit("no block of code was found in any document")
    if stale and not update:
        print("These blocks differ from their example (tools/snippets.py --update):")
        print("\n".join(stale))
        return 1
    print(f"{blocks} blocks of code" + (f", {len(stale)} updated" if update else " are up to date"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
