#!/usr/bin/env python3
"""Scores a scanner's verdicts against a labelled corpus.

usage: score.py CORPUS.jsonl VERDICTS.jsonl [--split FILE [--outside]] [--without REPO]

A row of the corpus has `id`, `label` (poisoned or benign), `subset` (metadata or output), `tier`,
`lang`, `attack_type`, `source_repo`, `tricky` and `text`; a row of verdicts has `id` and `verdict`
(clean, warn or reject). Both warn and reject count as flagged; refused means reject.

  --split FILE    only rows whose `source_repo` is listed in FILE, one name a line
  --outside       with --split: only the rows that it leaves out
  --without REPO  leaves one source out; may be repeated

Intervals are Wilson's, at 95 %. Prose that quotes attacks and made-up obfuscations are counted apart
from what was collected from real servers and public attack collections.
"""

import argparse
import collections
import json
import math
import sys

Z = 1.96
# What honest descriptions say that sounds like an order.
ORDERS = {"IMPORTANT", "must", "dont", "always", "call_first", "instead"}
LATIN = {"en", "und", "latin-ext"}


class Rate:
    """How many of how many, with the interval of Wilson (1927)."""

    def __init__(self, flags):
        flags = list(flags)
        self.hits, self.total = sum(flags), len(flags)

    @property
    def value(self):
        return self.hits / self.total if self.total else math.nan

    def interval(self):
        if not self.total:
            return (math.nan, math.nan)
        spread = Z * Z / self.total
        centre = self.value + spread / 2
        reach = Z * math.sqrt(self.value * (1 - self.value) / self.total + spread / self.total / 4)
        return (max(centre - reach, 0) / (1 + spread), (centre + reach) / (1 + spread))

    def __str__(self):
        if not self.total:
            return "none"
        low, high = self.interval()
        return f"{self.value:.4f} [{low:.4f}, {high:.4f}] ({self.hits}/{self.total})"


def load(corpus, verdicts):
    with open(verdicts, encoding="utf-8") as lines:
        given = {row["id"]: row["verdict"] for row in map(json.loads, lines)}
    rows = []
    with open(corpus, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            verdict = given.get(row["id"])
            if verdict not in ("clean", "warn", "reject"):
                sys.exit(f"`{verdicts}`: row `{row['id']}` has no verdict (or `{verdict}`)")
            row["flagged"], row["refused"] = verdict != "clean", verdict == "reject"
            rows.append(row)
    return rows


def measure(rows):
    def rate(label, wanted):
        return Rate(row["flagged"] for row in rows if row["label"] == label and wanted(row))

    def collected(row):
        return row["tier"] not in ("synthetic", "quoted")

    def metadata(row):
        return collected(row) and row["subset"] == "metadata"

    def output(row):
        return collected(row) and row["subset"] == "output"

    def synthetic(row):
        return row["tier"] == "synthetic"

    rates = {
        "metadata recall": rate("poisoned", metadata),
        "metadata FPR": rate("benign", metadata),
        "output recall": rate("poisoned", output),
        "output FPR": rate("benign", output),
        "obfuscation recall": rate("poisoned", synthetic),
        "legitimate Unicode flagged": rate("benign", synthetic),
        "sounds like an order, FPR": rate(
            "benign", lambda row: metadata(row) and ORDERS & set(row.get("tricky") or ())
        ),
        "not Latin, FPR": rate("benign", lambda row: metadata(row) and row.get("lang") not in LATIN),
        "quotes attacks, FPR": rate("benign", lambda row: row["tier"] == "quoted"),
    }
    rates["legitimate Unicode refused"] = Rate(
        row["refused"] for row in rows if synthetic(row) and row["label"] == "benign"
    )
    means = {}
    for name, wanted in (("metadata", metadata), ("output", output)):
        sources = group(rows, "source_repo", lambda row: row["label"] == "poisoned" and wanted(row))
        values = [each.value for each in sources.values()]
        means[name] = (sum(values) / len(values) if values else math.nan, len(values))
    return {
        "rates": rates,
        "means": means,
        "tricky": {
            tag: rate("benign", lambda row, tag=tag: metadata(row) and tag in (row.get("tricky") or ()))
            for tag in sorted({tag for row in rows for tag in row.get("tricky") or ()})
        },
        "obfuscations": group(
            rows, "attack_type", lambda row: row["label"] == "poisoned" and synthetic(row)
        ),
        "attacks": group(
            rows, "attack_type", lambda row: row["label"] == "poisoned" and collected(row)
        ),
        "refused": [
            row["id"] for row in rows
            if synthetic(row) and row["label"] == "benign" and row["refused"]
        ],
    }


def group(rows, key, wanted):
    flags = collections.defaultdict(list)
    for row in filter(wanted, rows):
        flags[row[key]].append(row["flagged"])
    ordered = sorted(flags.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: Rate(each) for name, each in ordered}


def show(result):
    for name, rate in result["rates"].items():
        print(f"{name:32} {rate}")
    for name, (mean, sources) in result["means"].items():
        print(f"{name + ' recall, mean of sources':32} {mean:.4f} over {sources} sources")
    if result["refused"]:
        print(f"refused: {' '.join(result['refused'])}")
    for title, key in (
        ("benign metadata by tricky class, FPR", "tricky"),
        ("obfuscations, recall", "obfuscations"),
        ("collected attacks, recall", "attacks"),
    ):
        print(f"\n{title}")
        for name, rate in result[key].items():
            if rate.total:
                print(f"  {name:30} {rate}")


def options(usage, *positional):
    """The arguments, with those that select rows."""
    parser = argparse.ArgumentParser(usage=usage.split("\n\n")[1].removeprefix("usage: "))
    for name in positional:
        parser.add_argument(name)
    parser.add_argument("--split")
    parser.add_argument("--outside", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    given = parser.parse_args()
    if given.outside and not given.split:
        parser.error("--outside needs --split")
    return given


def select(rows, given):
    if given.split:
        with open(given.split, encoding="utf-8") as lines:
            listed = {line.strip() for line in lines} - {""}
        rows = [row for row in rows if (row["source_repo"] in listed) != given.outside]
    return [row for row in rows if row["source_repo"] not in given.without]


if __name__ == "__main__":
    given = options(__doc__, "corpus", "verdicts")
    show(measure(select(load(given.corpus, given.verdicts), given)))
