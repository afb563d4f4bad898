#!/usr/bin/env python3
"""Writes the vector files, or checks that the committed ones are what it would write.

    python3 tests/vectors/generate.py            write all files, remove stale ones
    python3 tests/vectors/generate.py --check    write nothing; name each file that differs, exit 1 if any does

The expectations come from the tables and small reference functions in `vectorgen/`, which share no code with the
library: they are a second reading of the same rules. Nothing here is random and nothing depends on the machine.
"""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, ROOT)

from vectorgen import documents  # noqa: E402


def committed():
    """The vectors and policies there are, by path below the folder."""
    found = {}
    for folder, _, names in os.walk(ROOT):
        for name in names:
            if name.endswith((".json", ".toml")):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8", newline="") as file:
                    found[os.path.relpath(path, ROOT).replace(os.sep, "/")] = file.read()
    return found


def main():
    wanted, present = documents(), committed()
    stale = sorted(set(present) - set(wanted))
    changed = sorted(path for path, text in wanted.items() if present.get(path) != text)
    if sys.argv[1:] == ["--check"]:
        for path in changed:
            print(f"differs: {path}")
        for path in stale:
            print(f"nothing writes: {path}")
        return 1 if changed or stale else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    for path in changed:
        full = os.path.join(ROOT, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8", newline="") as file:
            file.write(wanted[path])
    for path in stale:
        os.remove(os.path.join(ROOT, path))
    print(f"{len(wanted)} files, {len(changed)} written, {len(stale)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
