# For run.sh and fusion-matrix.sh, which define usage() and source this with their arguments: sets bin, shape, name (of the
# result), results (where it goes), folder (for models) and model, which it makes if it is not there.
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

model=${MODEL:-$folder/$(basename "$shape" .json)}
[ -d "$model" ] || "$bin/samba-synthesize" --shape="$shape" -o "$model"

# store NAME: puts $folder/result.json and its tables among the results; they are complete only then.
store() {
  "$bin/samba-bench" --show "$folder/result.json" >"$folder/result.md"
  cp "$folder/result.json" "$results/$1.json"
  cp "$folder/result.md" "$results/$1.md"
}
