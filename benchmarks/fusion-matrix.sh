#!/usr/bin/env bash
# Measures what each fusion is worth on a model of published size with random weights. See usage below and
# docs/performance.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TXT'
usage: benchmarks/fusion-matrix.sh [NAME]

Makes a model with random weights, compiles it with each list of fusions of `samba-bench --fusion-matrix`, measures them
in turns, writes benchmarks/results/NAME-fusion.json and NAME-fusion.md, and puts the tables into docs/performance.md.
NAME is by default made from the name of this machine's CPU.

Environment:
  BUILD_DIR    of the tools (default: build, beside this folder)
  SHAPE        for samba-synthesize --shape (default Samba_421M), or MODEL, a model directory
  PRECISION    of weight matrices (default bf16)
  REPETITIONS  rounds of each test (default 9)
  THREADS      numbers of threads (default 1,2)
  PROMPTS      tokens (default 512)
  GENERATE     tokens (default 16)
  DEPTHS       tokens before generation (default 16)
  FUSIONS      only these, separated by commas (default: all)
  KEEP         a folder in which the models stay for the next run
  NO_DOCS      set: leave docs/performance.md alone
TXT
}

. "$here/common.sh"

"$bin/samba-bench" "$model" --fusion-matrix${FUSIONS:+=$FUSIONS} --precision "${PRECISION:-bf16}" \
  -p "${PROMPTS:-512}" -n "${GENERATE:-16}" -d "${DEPTHS:-16}" -t "${THREADS:-1,2}" -r "${REPETITIONS:-9}" \
  --keep "$folder/matrix" --json --progress >"$folder/result.json"
store "$name-fusion"
echo "Written: $results/$name-fusion.json, $name-fusion.md"
[ -n "${NO_DOCS:-}" ] || "$here/update-docs.sh" "$name"
