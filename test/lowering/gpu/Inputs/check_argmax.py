"""Runs the kernels that choose tokens on rows of logits and compares with the choice of a greedy sampler.

    check_argmax.py KERNELS.ptx VOCABULARY
"""
import json
import math
import struct
import subprocess
import sys
import tempfile

PART = 2048  # what a block takes
ptx, width = sys.argv[1], int(sys.argv[2])
nan, inf = math.nan, math.inf


def row(base, changes):
    values = [base] * width
    for at, value in changes.items():
        values[at] = value
    return values


def random(seed):
    values = []
    for _ in range(width):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        values.append((seed >> 33) % 997 / 8 - 60)  # many equals
    return values


last = width - 1
rows = [row(0.0, {}), row(-0.0, {last: 0.0}), row(0.0, {0: -0.0}), row(-inf, {}), row(nan, {}), row(inf, {0: 1.0}),
        row(nan, {last: -inf}), row(nan, {5: -inf, 6: -inf}), row(nan, {7: -3.0, 3: -4.0}), row(-1.0, {last: 2.0}),
        row(-1.0, {0: nan, last: 1e-40, 1: 0.0}), row(-5.0, {31: 4.0, 32: 4.0}), row(-5.0, {100: 4.0, 36: 4.0, 37: nan}),
        row(-inf, {9: nan, 64: -1e38}), row(1.0, {0: 0.5, 1: nan, 2: 0.5}), random(1), random(2), random(3)]
if width > PART:
    rows += [row(-1.0, {PART - 1: 2.0, PART: 2.0}), row(-1.0, {PART: 2.0}), row(nan, {2 * PART: -9.0}),
             row(-1.0, {2 * PART: 5.0, PART + 3: 5.0, last: 5.0}), row(-1.0, {last: 5.0, 3: 4.0})]


def greedy(values):
    best = -1
    for i, value in enumerate(values):
        if value == value and (best < 0 or value > values[best]):
            best = i
    return best


count, parts = len(rows), -(-width // PART)
words = [struct.unpack("<i", struct.pack("<f", value))[0] for values in rows for value in values]
buffer = lambda name: {"buffer": name}
launches = [{"kernel": "argmax", "grid": [parts, count], "block": [256],
             "args": [buffer("logits"), buffer("tokens")] if parts == 1 else
                     [buffer("logits"), buffer("values"), buffer("ids")]}]
if parts > 1:
    launches.append({"kernel": "argmax_merge", "grid": [count], "block": [32],
                     "args": [buffer("values"), buffer("ids"), buffer("tokens")]})
nothing = {"bytes": 4 * count * parts, "fill": "nothing"}
description = {"buffers": {"logits": {"words": words}, "values": nothing, "ids": nothing,
                           "tokens": {"bytes": 4 * count, "fill": "nothing"}}, "launches": launches}
expected = [greedy(values) for values in rows]
with tempfile.TemporaryDirectory() as folder:
    with open(folder + "/launches.json", "w") as file:
        json.dump(description, file)
    for seed in ("0", "1", "2"):
        subprocess.run(["samba-vgpu-run", ptx, folder + "/launches.json", "--write=" + folder + "/out",
                        "--seed=" + seed], check=True)
        with open(folder + "/out", "rb") as file:
            out = file.read()
        # The buffers follow each other by name.
        begin = 4 * (count * parts + count * width)
        found = list(struct.unpack_from(f"<{count}i", out, begin))
        if found != expected:
            sys.exit(f"seed {seed}: tokens {found}, expected {expected}")
print(f"{count} rows of {width}: as a greedy sampler")
