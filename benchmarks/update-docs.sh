#!/usr/bin/env bash
# Puts the tables of a result into docs/performance.md: benchmarks/update-docs.sh NAME (see run.sh,
# fusion-matrix.sh, rivals.py and length.py). Sections whose result is not there stay as they are.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=${1:?usage: benchmarks/update-docs.sh NAME}
compgen -G "$here/results/$name.md" >/dev/null || compgen -G "$here/results/$name-*.md" >/dev/null || {
  echo "update-docs.sh: error: benchmarks/results has no result '$name'" >&2
  exit 1
}
page=$here/../docs/performance.md

# replace SECTION FILE: what stands between the two markers of a section.
replace() {
  [ -f "$2" ] || return 0
  grep -q "^<!-- $1: begin" "$page" && grep -q "^<!-- $1: end" "$page" || {
    echo "update-docs.sh: error: $page has no section $1" >&2
    exit 1
  }
  awk -v section="$1" -v file="$2" '
    index($0, "<!-- " section ": end") == 1 { skip = 0 }
    !skip { print }
    index($0, "<!-- " section ": begin") == 1 {
      print ""
      while ((getline line < file) > 0) print line
      print ""
      skip = 1
    }' "$page" >"$page.new"
  mv "$page.new" "$page"
}

replace tests "$here/results/$name.md"
replace kernels "$here/results/$name-kernels.md"
replace fusion "$here/results/$name-fusion.md"
replace rivals "$here/results/$name-rivals.md"
replace length "$here/results/$name-length.md"
