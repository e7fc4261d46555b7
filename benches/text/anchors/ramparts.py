"""The YARA rules of ramparts beside the others: corpus rows in, one verdict a row out.

usage: ramparts.py CORPUS.jsonl VERDICTS.jsonl RULES

RULES is the folder `rules/pre` of a checkout of ramparts: its crate ships the program without its
rules, whose absence the program then calls an error. They are run with the same engine it links
(yara-x), on the text and on the further views its scanner is documented to derive: invisible
characters taken out and NFKC-folded, then base64 and hex decoded, up to three times. Every one of its
matches is a finding, so severity CRITICAL or HIGH is `reject` and any other `warn`.
"""

import base64
import binascii
import json
import pathlib
import re
import sys
import time
import unicodedata

import yara_x

INVISIBLE = re.compile(
    "[\u200b-\u200f\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\ufe00-\ufe0f\U000e0000-\U000e007f]"
)
ENCODED = re.compile("[A-Za-z0-9+/=]{24,}")
HEX = re.compile("(?:[0-9a-fA-F]{2})+")
DEPTH, VIEWS, BUDGET = 3, 16, 1 << 20


def folded(text):
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", text))


def decoded(text):
    for run in ENCODED.findall(text):
        try:
            if HEX.fullmatch(run):
                raw = bytes.fromhex(run)
            else:
                body = run.rstrip("=")
                raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
            fragment = raw.decode()
        except (binascii.Error, ValueError):
            continue
        printable = sum(c in "\n\r\t" or unicodedata.category(c) != "Cc" for c in fragment)
        if fragment and printable * 10 >= len(fragment) * 8:
            yield fragment


def views(text):
    yield text
    root = folded(text)
    if root != text:
        yield root
    count, budget, frontier = 0, BUDGET, [root]
    for _ in range(DEPTH):
        found = []
        for fragment in (f for t in frontier for f in decoded(t)):
            budget -= len(fragment)
            if count >= VIEWS or budget < 0:
                return
            count += 1
            found.append(fragment)
            yield fragment
            if folded(fragment) != fragment:
                found.append(folded(fragment))
                yield found[-1]
        frontier = found


def main(corpus, verdicts, rules):
    compiled = []
    for path in sorted(pathlib.Path(rules).glob("*.yar")):
        compiler = yara_x.Compiler()
        compiler.add_source(path.read_text(encoding="utf-8"))
        compiled.append(compiler.build())
    if not compiled:
        sys.exit(f"no rules (*.yar) in `{rules}`")
    scanners = [yara_x.Scanner(one) for one in compiled]

    rows = size = slowest = spent = 0
    with open(corpus, encoding="utf-8") as source, open(verdicts, "w", encoding="utf-8") as out:
        for line in source:
            row = json.loads(line)
            start = time.perf_counter_ns()
            worst = "clean"
            for view in views(row["text"]):
                data = view.encode("utf-8", "replace")
                for scanner in scanners:
                    for match in scanner.scan(data).matching_rules:
                        severity = str(dict(match.metadata).get("severity", "")).upper()
                        if severity in ("CRITICAL", "HIGH"):
                            worst = "reject"
                        elif worst == "clean":
                            worst = "warn"
            took = time.perf_counter_ns() - start
            spent += took
            slowest = max(slowest, took)
            size += len(row["text"].encode())
            rows += 1
            out.write(json.dumps({"id": row["id"], "verdict": worst}) + "\n")
    print(json.dumps({
        "scanner": "ramparts",
        "rules": sum(len(list(one)) for one in compiled),
        "rows": rows,
        "bytes": size,
        "seconds": round(spent / 1e9, 3),
        "bytes_per_second": round(size / (spent / 1e9)),
        "slowest_ms": slowest / 1e6,
    }))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
