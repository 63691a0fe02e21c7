#!/usr/bin/env bash
# Measures the compiler on a model of published size with random weights. See usage below and docs/performance.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
  cat <<'TXT'
usage: benchmarks/run.sh [NAME]

Makes a model with random weights, compiles it at each precision that the compiler offers, runs the standard tests and
writes benchmarks/results/NAME.json and NAME.md, and the same for kernels: NAME-kernels.json and .md. NAME is by default
made from the name of this machine's CPU. If NAME.json exists, the new one is compared with it first.

Environment:
  BUILD_DIR    of the tools (default: build, beside this folder)
  SHAPE        for samba-synthesize --shape (default Samba_421M, which takes 4 GB in the temporary folder), or
               MODEL, a model directory
  REPETITIONS  of each test (default 5)
  THREADS      numbers of threads (default 1,2)
  PROMPTS      tokens (default 37,128,512,2048)
  GENERATE     tokens (default 32)
  DEPTHS       tokens before generation (default 16,4096)
  BATCHES      sequences that generate together (default 1,4,16)
  KEEP         a folder in which the model stays for the next run, and the compiled models to look at
TXT
}

. "$here/common.sh"

compiled=()
for precision in f32 bf16 int8 int4; do
  output=$folder/$(basename "$model")-$precision.so
  if ! "$bin/samba-compile" "$model" --precision=$precision -o "$output" --quiet 2>"$folder/errors"; then
    # A precision that this compiler does not have.
    grep -q -e "--precision=$precision: expected" "$folder/errors" && continue
    cat "$folder/errors" >&2
    exit 1
  fi
  compiled+=("$output")
done

measure() { # NAME options...
  local name=$1 file=$results/$1
  shift
  "$bin/samba-bench" "${compiled[@]}" -t "${THREADS:-1,2}" -r "${REPETITIONS:-5}" --json --progress "$@" \
    >"$folder/result.json"
  if [ -f "$file.json" ] && ! [[ " $* " == *" --ops "* ]]; then
    "$bin/samba-bench" --show "$folder/result.json" --compare "$file.json"
  else
    "$bin/samba-bench" --show "$folder/result.json"
  fi
  store "$name"
}

measure "$name" -p "${PROMPTS:-37,128,512,2048}" -n "${GENERATE:-32}" -d "${DEPTHS:-16,4096}" -b "${BATCHES:-1,4,16}"
measure "$name-kernels" --ops -p 512 -d "${DEPTHS:-16,4096}"
echo "Written: $results/$name.json, $name.md, $name-kernels.json, $name-kernels.md"
