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
  SHAPE        for samba-synthesize --shape (default Samba_421M, which takes 4 GB in the temporary folder)
  REPETITIONS  of each test (default 5)
  THREADS      numbers of threads (default 1,2)
  PROMPTS      tokens (default 37,128,512,2048)
  GENERATE     tokens (default 32)
  DEPTHS       tokens before generation (default 16,4096)
  BATCHES      sequences that generate together (default 1,4,16)
  KEEP         a folder in which the model stays for the next run, and the compiled models to look at
TXT
}

case "${1:-}" in
-h | --help)
  usage
  exit
  ;;
-*)
  usage >&2
  exit 2
  ;;
esac

bin=${BUILD_DIR:-$here/../build}/bin
shape=${SHAPE:-Samba_421M}
results=$here/results
name=${1:-$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1 | tr -cs '[:alnum:]\n' '-' | sed 's/-*$//')}
name=${name:-$(uname -m)}

folder=${KEEP:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder" "$results"

model=$folder/$(basename "$shape" .json)
[ -d "$model" ] || "$bin/samba-synthesize" --shape="$shape" -o "$model"

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

# A result is written when it is complete.
measure() { # NAME options...
  local file=$results/$1
  shift
  "$bin/samba-bench" "${compiled[@]}" -t "${THREADS:-1,2}" -r "${REPETITIONS:-5}" --json --progress "$@" \
    >"$folder/result.json"
  if [ -f "$file.json" ] && ! [[ " $* " == *" --ops "* ]]; then
    "$bin/samba-bench" --show "$folder/result.json" --compare "$file.json"
  else
    "$bin/samba-bench" --show "$folder/result.json"
  fi
  "$bin/samba-bench" --show "$folder/result.json" >"$folder/result.md"
  cp "$folder/result.json" "$file.json"
  cp "$folder/result.md" "$file.md"
}

measure "$name" -p "${PROMPTS:-37,128,512,2048}" -n "${GENERATE:-32}" -d "${DEPTHS:-16,4096}" -b "${BATCHES:-1,4,16}"
measure "$name-kernels" --ops -p 512 -d "${DEPTHS:-16,4096}"
echo "Written: $results/$name.json, $name.md, $name-kernels.json, $name-kernels.md"
