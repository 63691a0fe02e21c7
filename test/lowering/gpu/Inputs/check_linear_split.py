"""Multiplies rows of f32 that hold infinities, NaN and numbers at the edges of bf16 by weights of bf16, on tensor cores.

The kernel multiplies a sum of two bf16: the result is infinite, or NaN, where the product itself is, and else within
2^-16 of the sum of absolute products, also where the second part is smaller than f32 can hold.

    check_linear_split.py KERNELS.ptx
"""
import json
import math
import struct
import subprocess
import sys
import tempfile

ROWS, INPUTS, OUTPUTS = 37, 64, 80  # linear-split.mlir
inf, nan = math.inf, math.nan
f32 = lambda value: struct.unpack("<f", struct.pack("<f", value))[0]


def sequence(count, seed):
    values = []
    for _ in range(count):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        values.append(((seed >> 33) % (1 << 24) - (1 << 23)) / (1 << 23) or 0.5)
    return values


x = [[f32(value) for value in sequence(INPUTS, row)] for row in range(ROWS)]
for row, changes in {0: {0: inf}, 1: {5: -inf}, 2: {63: inf, 1: -inf}, 3: {7: nan}, 4: {8: nan, 9: inf}, 5: {3: 1e-40},
                     6: {31: inf, 32: inf}, 7: {2: 3.0e38}, 8: {2: -3.0e38, 40: 1.0}, 36: {33: -inf}}.items():
    for column, value in changes.items():
        x[row][column] = f32(value)
weights = sequence(OUTPUTS * INPUTS, 99)  # rounded to bf16 by cutting
bits = [struct.unpack("<I", struct.pack("<f", value))[0] >> 16 for value in weights]
weights = [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in bits]
words = lambda values: [struct.unpack("<i", struct.pack("<f", value))[0] for value in values]
pairs = [struct.unpack("<i", struct.pack("<HH", *bits[i : i + 2]))[0] for i in range(0, len(bits), 2)]
buffer = lambda name: {"buffer": name}
description = {
    "buffers": {"a": {"bytes": 4 * ROWS * OUTPUTS, "fill": "nothing", "holds": "f32"},
                "x": {"words": words(value for row in x for value in row)}, "w": {"words": pairs},
                "sizes": {"words": [ROWS, 1, ROWS, ROWS]}},
    "launches": [{"kernel": "linear_split", "grid": [2, 2], "block": [128],
                  "args": [buffer("x"), buffer("w"), buffer("a"), buffer("sizes")]}]}
with tempfile.TemporaryDirectory() as folder:
    with open(folder + "/launches.json", "w") as file:
        json.dump(description, file)
    subprocess.run(["samba-vgpu-run", sys.argv[1], folder + "/launches.json", "--write=" + folder + "/out"], check=True)
    with open(folder + "/out", "rb") as file:
        found = struct.unpack_from(f"<{ROWS * OUTPUTS}f", file.read())
for row in range(ROWS):
    for output in range(OUTPUTS):
        products = [a * b for a, b in zip(x[row], weights[output * INPUTS : (output + 1) * INPUTS])]
        result, exact = found[row * OUTPUTS + output], sum(products)
        if math.isfinite(exact):
            right = abs(result - exact) <= 2**-16 * sum(map(abs, products))
        else:
            right = result == exact or (result != result and exact != exact)
        if not right:
            sys.exit(f"row {row}, output {output}: {result}, expected {exact}")
print(f"{ROWS} x {OUTPUTS}: as the exact sums")
