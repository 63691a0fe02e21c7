#!/bin/sh
# catch-mistakes.sh MODEL PLUGIN FOLDER PIPELINE NAME...: for each pass test-break-NAME, PIPELINE with the pass in place of
# @ must fail, name the pass, and leave a reproducer that does the same.
model=$1 plugin=$2 folder=$3 pipeline=$4
shift 4
for name in "$@"; do
  pass=test-break-$name
  line=$(samba-opt "$model" --load-pass-plugin="$plugin" \
    -pass-pipeline="$(echo "$pipeline" | sed "s/@/$pass/")" \
    --check-each-pass --check-folder="$folder" -o /dev/null 2>&1 | grep 'error: check:')
  again=$(sh "$folder/samba-miscompile-$pass/reproduce.sh" 2>&1 | grep 'error: check:')
  echo "$name: ${line#*error: }" | sed "s#$folder#FOLDER#"
  case $again in
  *"pass $pass broke the model"*) echo "$name: again" ;;
  *) echo "$name: not again: $again" ;;
  esac
done
