"""Runs a compiled model on the virtual device with the PTX of a file, all checks on, and compares what comes out, bit by
bit, with what an earlier run has written: for changed kernels.

    same_results.py MODEL.so KERNELS.ptx EXPECTED [--write]

It takes all programs of the model: a prompt longer than all tiles, one token, five sequences of one token, and two of
several. The warps run in another order than with --write: results of correct kernels do not depend on it."""
import argparse
import sys

import samba

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("ptx")
parser.add_argument("expected")
parser.add_argument("--write", action="store_true")
parser.add_argument("--prompt", type=int, default=131, help="length of the prompt")
arguments = parser.parse_args()

seed = 0 if arguments.write else 5
settings = f"ptx={arguments.ptx},seed={seed},threads=1,counters=0,watchdog=1000000"
model = samba.Model(arguments.model, device=f"virtual:{settings}", check_device=True)
found = bytearray()


def take(rows):
    for row in rows:
        found.extend(memoryview(row).tobytes())


def ids(count, start):
    return [(start + 31 * i) % (model.vocab_size - 3) + 3 for i in range(count)]


sessions = [model.session() for _ in range(5)]
take(sessions[0].feed(ids(arguments.prompt, 5), "all"))
take(sessions[0].feed([9]))
take(model.evaluate(zip(sessions, ([4], [7], [13], [21], [34]))))
take(model.evaluate(zip(sessions[3:], (ids(2, 11), ids(5, 40)))))
for session in sessions:
    found.extend(session.dumps())
if arguments.write:
    with open(arguments.expected, "wb") as file:
        file.write(found)
    sys.exit(0)
with open(arguments.expected, "rb") as file:
    expected = file.read()
if bytes(found) != expected:
    sys.exit("same_results: other bits than expected")
