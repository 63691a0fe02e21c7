#!/usr/bin/env bash
# Everything a developer types. See usage below; docs/tutorial-compile.md walks through it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TXT'
usage: ./dev.sh COMMAND

  demo     install what is missing, build, compile the bundled model and generate text
  check    install what is missing, build, run all tests
  check --sanitize
           the unit tests of runtime and frontend with AddressSanitizer and UndefinedBehaviorSanitizer, and those of the
           runtime with ThreadSanitizer, in build folders of their own; a short run of each fuzz target
  fuzz [NAME...]
           run the fuzz targets, or those of these names, FUZZ_RUNS times each (10000000), with the inputs that earlier
           runs have found interesting, each at most twice FUZZ_SECONDS long if that is given; build-asan/fuzz.log gets
           two lines for each
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

# Those of the list, and others that are named.
install_packages() {
  local missing=() package
  for package in $(sed -e '/^#/d' -e "s/@LLVM@/$llvm/" cmake/debian-packages.txt) "$@"; do
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
  build samba-compile samba-run
  local model=$build_dir/samba-tiny.so
  local prompt="Call me Ishmael."
  echo "\$ $build_dir/bin/samba-compile models/samba-tiny -o $model"
  "$build_dir/bin/samba-compile" models/samba-tiny -o "$model"
  echo "\$ $build_dir/bin/samba-run $model --prompt \"$prompt\" -n 64"
  "$build_dir/bin/samba-run" "$model" --prompt "$prompt" -n 64
}

# sanitized FOLDER CXXFLAGS CMAKE_ARGUMENTS... -- TARGETS...: a build folder with flags of its own.
sanitized() {
  local folder=$1 flags=$2 arguments=()
  shift 2
  while [ "$1" != -- ]; do
    arguments+=("$1")
    shift
  done
  shift
  if [ ! -f "$folder/build.ninja" ]; then
    cmake --preset default -B "$folder" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="$flags" \
      -DCMAKE_CXX_FLAGS="$flags" "${arguments[@]}" >/dev/null
  fi
  ninja -C "$folder" -j "$jobs" "$@"
}

fuzz_targets=$(cd test/fuzz && ls -d */ | tr -d /)

# build_asan TARGETS...
build_asan() {
  install_packages "libclang-rt-$llvm-dev"
  sanitized "$build_dir-asan" "-g1 -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
-fno-sanitize=vptr -fno-sanitize-recover=all" -DSAMBA_FUZZ=ON -- "$@"
  # What LLVM's own containers put aside was not compiled here. Freed memory must not look like growth.
  export ASAN_OPTIONS=detect_container_overflow=0:quarantine_size_mb=1:alloc_dealloc_mismatch=0
  export LSAN_OPTIONS=suppressions=$PWD/test/fuzz/leaks.supp:print_suppressions=0
}

# run_fuzzer NAME CORPUS ARGUMENTS...: the last line of its output.
run_fuzzer() {
  local log=$build_dir-asan/fuzz-$1.log
  "$build_dir-asan/bin/fuzz-$1" -timeout=10 -artifact_prefix="$build_dir-asan/$1-" "${@:3}" "$2" "test/fuzz/$1" \
    >"$log" 2>&1 || {
    tail -n 40 "$log"
    exit 1
  }
  tail -n 1 "$log"
}

fuzz() {
  local name corpus part length runs=${FUZZ_RUNS:-10000000}
  [ $# -gt 0 ] || set -- $fuzz_targets
  build_asan "${@/#/fuzz-}"
  # Half of the time goes into what check --sanitize looks for anyway: stacks that live on, where memory came from, leaks.
  ASAN_OPTIONS+=:detect_stack_use_after_return=0:malloc_context_size=1:max_malloc_fill_size=0
  for name in "$@"; do
    corpus=$build_dir-asan/corpus/$name
    mkdir -p "$corpus"
    # Short inputs go faster; long ones are needed for what the seeds show.
    for part in $((runs * 3 / 4)):1024 $((runs - runs * 3 / 4)):4096; do
      length=${part#*:}
      echo "fuzz-$name: $(run_fuzzer "$name" "$corpus" -runs="${part%:*}" -max_len="$length" -detect_leaks=0 \
        -max_total_time="${FUZZ_SECONDS:-0}")" | tee -a "$build_dir-asan/fuzz.log"
    done
  done
}

check_sanitized() {
  local asan=$build_dir-asan tsan=$build_dir-tsan name new
  # One waits long for many tokens, the other leaves no address space for a sanitizer.
  local filter=-StreamRun.MemoryIsFlat:Messages.ModelsThatNeedTooMuchMemory
  build_asan samba-runtime-tests samba-frontend-tests samba-vgpu-tests samba-fuzz-targets
  "$asan/bin/samba-runtime-tests" --gtest_brief=1 --gtest_filter="$filter"
  "$asan/bin/samba-frontend-tests" --gtest_brief=1
  "$asan/bin/samba-vgpu-tests" --gtest_brief=1
  for name in $fuzz_targets; do
    new=$(mktemp -d)
    echo "fuzz-$name"
    run_fuzzer "$name" "$new" -seed=1 -runs=20000 -max_total_time="${FUZZ_SECONDS:-10}" -max_len=65536
    rm -rf "$new"
  done
  sanitized "$tsan" "-g1 -fsanitize=thread" -- samba-runtime-tests
  # libomp is not instrumented; libarcher tells what it synchronises. What is left out looks at resident memory, which
  # has the sanitizer's shadow of the pages that are read.
  OMP_TOOL_LIBRARIES=/usr/lib/llvm-$llvm/lib/libarcher.so TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1 \
    "$tsan/bin/samba-runtime-tests" --gtest_brief=1 --gtest_filter="$filter:StateMemory.SessionsOfALongContext"
}

case "${1:-}" in
demo) demo ;;
check)
  case "${2:-}" in
  "") build && build check-samba ;;
  --sanitize) check_sanitized ;;
  *) usage >&2 && exit 2 ;;
  esac
  ;;
fuzz) fuzz "${@:2}" ;;
build) build ;;
docs) build samba-docs ;;
format) git ls-files '*.cpp' '*.h' | xargs "clang-format-$llvm" -i ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
