#!/bin/sh
# MODEL PTX TOKENS EXPECTED: whether the model computes the expected logits with these kernels, in two orders of warps.
for seed in 0 1; do
  samba-run "$1" --tokens "$3" -n 1 --json --check --device="virtual:arch=90,seed=$seed,ptx=$2,watchdog=1000000" \
    --dump-logits="$2.logits" > /dev/null && cmp "$2.logits" "$4" || { rm -f "$2.logits"; exit 1; }
done
rm -f "$2.logits"
