#!/usr/bin/env bash
# Runs every scanner on the same rows, one after the other, and prints one table.
#
# usage: compare.sh CORPUS [SELECTION]...
#
# CORPUS is JSON lines (also .xz) and stays where it is; nothing of it is copied into the tree.
# SELECTION are options of score.py and apply to the table, not to the runs.
#
#   OURS            our command; gets the corpus as its last argument and prints one verdict a row,
#                   for example OURS="mcp-secure scan --jsonl"; it may end with 1, as one that found
#                   something does
#   RAMPARTS_RULES  the folder `rules/pre` of a checkout of ramparts; without it ramparts is left out
#   SKIP            scanners not to run again (their last verdicts are used), for example SKIP="atr"
#   SCRATCH         where the scanners are installed and the verdicts go
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
corpus=${1:?usage: compare.sh CORPUS [SELECTION]...}
shift
scratch=${SCRATCH:-${CARGO_TARGET_DIR:-$here/../../target}/bench-text}
mkdir -p "$scratch/results"
scratch=$(cd "$scratch" && pwd)
results=$scratch/results

"$here/anchors/setup.sh" "$scratch"
if [[ $corpus == *.xz ]]; then
    xz --decompress --stdout "$corpus" >"$scratch/corpus.jsonl"
    corpus=$scratch/corpus.jsonl
fi

# What is left out of this run must not stand in its table.
leave_out() {
    echo "$1 is left out: $2 is not set" >&2
    rm -f "$results/$1".{jsonl,json}
}

# scan NAME COMMAND...: the command writes its verdicts to $results/NAME.new and prints its speed.
scan() {
    local name=$1
    shift
    if [[ " ${SKIP:-} " == *" $name "* ]]; then
        return
    fi
    rm -f "$results/$name".{new,jsonl,json}
    echo "running $name" >&2
    "$@" >"$results/$name.json"
    mv "$results/$name.new" "$results/$name.jsonl"
}

# Ours is timed from outside, so its start and the reading of the corpus count against it.
ours() {
    local start end bytes
    start=$(date +%s.%N)
    # shellcheck disable=SC2086 # the command and its arguments
    $OURS "$corpus" >"$results/ours.new" || (($? == 1))
    end=$(date +%s.%N)
    bytes=$(python3 -c 'import json, sys
print(sum(len(json.loads(line)["text"].encode()) for line in open(sys.argv[1], encoding="utf-8")))' "$corpus")
    python3 -c 'import json, sys
size, start, end = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
print(json.dumps({"seconds": end - start, "bytes_per_second": size / (end - start)}))' "$bytes" "$start" "$end"
}

python=$scratch/venv/bin/python
scan cisco "$python" "$here/anchors/cisco.py" "$corpus" "$results/cisco.new"
scan atr node "$here/anchors/atr.mjs" "$corpus" "$results/atr.new" "$scratch/node_modules"
if [[ -n ${RAMPARTS_RULES:-} ]]; then
    scan ramparts "$python" "$here/anchors/ramparts.py" "$corpus" "$results/ramparts.new" "$RAMPARTS_RULES"
else
    leave_out ramparts RAMPARTS_RULES
fi
if [[ -n ${OURS:-} ]]; then
    scan ours ours
else
    leave_out ours OURS
fi
python3 "$here/table.py" "$corpus" "$results" "$@"
