"""Compares tensors of a safetensors file with golden ones: norm of the difference relative to the golden norm."""
import argparse
import math
import sys

import safetensors


def rows_of(shape, values, rows):
    width = len(values) // shape[0]
    return [value for row in rows for value in values[row * width : (row + 1) * width]]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("actual")
parser.add_argument("golden")
parser.add_argument("names", nargs="+", help="NAME; PREFIX/ for all golden tensors below it; or NAME=GOLDEN_NAME")
parser.add_argument("--tolerance", type=float, default=3e-5)
parser.add_argument("--rows", help="golden tensor with the rows of the actual tensors that are stored")
parser.add_argument("--last-row", action="store_true", help="only the last row is stored")
arguments = parser.parse_args()

actual, golden = safetensors.load(arguments.actual), safetensors.load(arguments.golden)
pairs = []
for name in arguments.names:
    if name.endswith("/"):
        pairs += [(found, found) for found in golden if found.startswith(name)]
    else:
        mine, _, theirs = name.partition("=")
        pairs.append((mine, theirs or mine))
if not pairs:
    sys.exit(f"{arguments.golden}: no such tensors")

worst = 0.0
for mine, theirs in pairs:
    shape, values = actual[mine]
    golden_shape, expected = golden[theirs]
    if arguments.last_row:
        values, shape = rows_of(shape, values, [shape[0] - 1]), shape[1:]
    elif arguments.rows:
        rows = golden[arguments.rows][1]
        values, shape = rows_of(shape, values, rows), [len(rows)] + shape[1:]
    if shape != golden_shape:
        sys.exit(f"{mine}: expected shape {golden_shape}, found {shape}")
    difference = math.sqrt(math.fsum((a - b) ** 2 for a, b in zip(values, expected)))
    error = difference / math.sqrt(math.fsum(b * b for b in expected))
    if not error <= arguments.tolerance:
        sys.exit(f"{mine}: relative error {error:.3g}, tolerance {arguments.tolerance:g}")
    worst = max(worst, error)
print(f"{len(pairs)} tensors, largest relative error {worst:.3g}")
