#!/usr/bin/env python3
"""Splits the sources of a corpus: one third is validation and is not looked at while tuning.

usage: split.py CORPUS.jsonl > validation-sources.txt

Sources, not rows, because texts of one source resemble each other. Nobody chooses: the names are put
in the order of their SHA-256 and the first third is taken, once among the sources that have poisoned
rows and once among the others.
"""

import hashlib
import json
import sys


def main(corpus):
    poisoned, sources = set(), set()
    with open(corpus, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            sources.add(row["source_repo"])
            if row["label"] == "poisoned":
                poisoned.add(row["source_repo"])
    chosen = []
    for names in (poisoned, sources - poisoned):
        ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        chosen += ordered[: round(len(ordered) / 3)]
    print("\n".join(sorted(chosen)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
