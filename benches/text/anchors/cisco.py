"""Cisco's mcp-scanner beside the others: corpus rows in, one verdict a row out.

usage: cisco.py CORPUS.jsonl VERDICTS.jsonl

Runs the package's own YARA analyzer with the rules it ships: the only one of its default analyzers
that needs neither a key nor the network. (Its prompt-defence analyzer is off by default and reports
what a text does *not* say, so it flags nearly every tool there is.) A finding of severity HIGH is
`reject`, any other is `warn`.
"""

import asyncio
import json
import logging
import sys
import time


async def main(corpus, verdicts):
    logging.disable(logging.CRITICAL)
    from mcpscanner.core.analyzers.yara_analyzer import YaraAnalyzer

    analyzer = YaraAnalyzer()
    rows = size = slowest = spent = 0
    with open(corpus, encoding="utf-8") as source, open(verdicts, "w", encoding="utf-8") as out:
        for line in source:
            row = json.loads(line)
            kind = "description" if row["subset"] == "metadata" else "content"
            context = {"tool_name": "tool", "content_type": kind}
            start = time.perf_counter_ns()
            findings = await analyzer.analyze(row["text"], context)
            took = time.perf_counter_ns() - start
            spent += took
            slowest = max(slowest, took)
            size += len(row["text"].encode())
            rows += 1
            verdict = "clean"
            if findings:
                high = any(finding.severity in ("HIGH", "CRITICAL") for finding in findings)
                verdict = "reject" if high else "warn"
            out.write(json.dumps({"id": row["id"], "verdict": verdict}) + "\n")
    print(json.dumps({
        "scanner": "cisco-ai-mcp-scanner",
        "rules": len(list(analyzer._rules)),
        "rows": rows,
        "bytes": size,
        "seconds": round(spent / 1e9, 3),
        "bytes_per_second": round(size / (spent / 1e9)),
        "slowest_ms": slowest / 1e6,
    }))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
