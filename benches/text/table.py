#!/usr/bin/env python3
"""One row a scanner, as a Markdown table.

usage: table.py CORPUS.jsonl RESULTS [--split FILE [--outside]] [--without REPO]

RESULTS is the folder compare.sh writes: NAME.jsonl with the verdicts and NAME.json with the speed.
The options are those of score.py.
"""

import json
import pathlib

import score

COLUMNS = [
    ("metadata: recall @ FPR", ("metadata recall", "metadata FPR")),
    ("output: recall @ FPR", ("output recall", "output FPR")),
    ("obfuscation: recall @ FPR", ("obfuscation recall", "legitimate Unicode flagged")),
    ("sounds like an order: FPR", (None, "sounds like an order, FPR")),
    ("not Latin: FPR", (None, "not Latin, FPR")),
    ("quotes attacks: FPR", (None, "quotes attacks, FPR")),
]


def cell(recall, false):
    """With 95 % intervals, recall as a fraction and false positives in per cent."""
    parts = []
    if recall and recall.total:
        low, high = recall.interval()
        parts.append(f"{recall.value:.3f} [{low:.3f}, {high:.3f}]")
    if false.total:
        low, high = false.interval()
        parts.append(f"{false.value:.2%} [{low:.2%}, {high:.2%}]")
    return " @ ".join(parts) or "–"


def main(given):
    names = [title for title, _ in COLUMNS] + ["legitimate Unicode refused", "MB/s", "seconds"]
    print("| scanner | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for verdicts in sorted(pathlib.Path(given.results).glob("*.jsonl")):
        rates = score.measure(score.select(score.load(given.corpus, verdicts), given))["rates"]
        cells = [cell(*map(rates.get, keys)) for _, keys in COLUMNS]
        refused = rates["legitimate Unicode refused"]
        cells.append(f"{refused.hits} of {refused.total}")
        speed = verdicts.with_suffix(".json")
        if speed.exists():
            timing = json.loads(speed.read_text())
            cells += [f"{timing['bytes_per_second'] / 1e6:.3g}", f"{timing['seconds']:.1f}"]
        else:
            cells += ["–", "–"]
        print(f"| {verdicts.stem} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(score.options(__doc__, "corpus", "results"))
