#!/usr/bin/env bash
# Everything a developer types. See usage below; docs/tutorial-compile.md walks through it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TXT'
usage: ./dev.sh COMMAND

  demo     install what is missing, build, compile the bundled model and generate text
  check    install what is missing, build, run all tests
  build    install what is missing, build; the tools are in build/bin/
  docs     generate the op and pass reference into docs/reference/
  format   format the C++ sources

Environment: BUILD_DIR (default build), JOBS (default: number of cores).
TXT
}

build_dir=${BUILD_DIR:-build}
jobs=${JOBS:-$(nproc)}
llvm=$(sed -n 's/^set(SAMBA_LLVM_VERSION \([0-9]*\))$/\1/p' cmake/LlvmPin.cmake)

# A precompiled header is cacheable only if ccache is told so.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

install_packages() {
  local missing=() package
  for package in $(sed -e '/^#/d' -e "s/@LLVM@/$llvm/" cmake/debian-packages.txt); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing: ${missing[*]}"
  local sudo=
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build() {
  install_packages
  if [ ! -f "$build_dir/build.ninja" ]; then
    cmake --preset default -B "$build_dir" >/dev/null
  fi
  ninja -C "$build_dir" -j "$jobs" "$@"
}

demo() {
  build
  local model=$build_dir/samba-tiny.so
  local prompt="Call me Ishmael."
  echo "\$ $build_dir/bin/samba-compile models/samba-tiny -o $model"
  "$build_dir/bin/samba-compile" models/samba-tiny -o "$model"
  echo "\$ $build_dir/bin/samba-run $model --prompt \"$prompt\" -n 64"
  "$build_dir/bin/samba-run" "$model" --prompt "$prompt" -n 64
}

case "${1:-}" in
demo) demo ;;
check) build && build check-samba ;;
build) build ;;
docs) build samba-docs ;;
format) git ls-files '*.cpp' '*.h' | xargs "clang-format-$llvm" -i ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
