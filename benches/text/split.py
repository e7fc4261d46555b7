#!/usr/bin/env python3
"""Splits the sources of a corpus: about a third is validation and is not looked at while tuning.

usage: split.py CORPUS.jsonl > validation-sources.txt

Sources, not rows, because texts of one source resemble each other. Nobody chooses: a source is
validation if the first byte of the SHA-256 of its name leaves 1 when it is divided by 3. So a source
keeps its side whatever is added to the corpus.
"""

import hashlib
import json
import sys


def is_validation(name):
    return hashlib.sha256(name.encode()).digest()[0] % 3 == 1


def main(corpus):
    with open(corpus, encoding="utf-8") as lines:
        sources = {json.loads(line)["source_repo"] for line in lines}
    print("\n".join(sorted(filter(is_validation, sources))))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
