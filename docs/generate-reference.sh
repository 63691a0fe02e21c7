#!/usr/bin/env bash
# Writes the op and pass reference, made from the .td files, into a folder.
# usage: generate-reference.sh LLVM_BIN_DIR OUTPUT_DIR
set -euo pipefail
llvm_bin=$1 output=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p "$output"

# generate NAME TITLE tblgen-options...: under the notice of mlir-tblgen comes a title, where it gives none. [TOC] is for
# another renderer.
generate() {
  local name=$1 title=$2
  shift 2
  "$llvm_bin/mlir-tblgen" -I . -I "$llvm_bin/../include" "$@" | grep -v '^\[TOC\]$' |
    sed "1s|.*|<!-- Made by ./dev.sh docs from the .td files; do not edit. -->${title:+\n\n# $title}|" >"$output/$name"
}

generate samba-dialect.md '' -gen-dialect-doc -dialect=samba dialect/SambaOps.td
generate passes.md 'Target-independent passes' -gen-pass-doc passes/Passes.td
generate lowering-passes.md 'Lowering passes' -gen-pass-doc lowering/Passes.td
