"""Compares a compiled model on a GPU, a real or the virtual one, with the same model on the CPU.

Prompts of lengths around the tile and window sizes, one token after each, batches, prompts in pieces, the state, forks
and rollbacks, and greedy generation. Numbers must agree within --tolerance, as the norm of the difference relative to
the norm; greedy tokens must be the same. Prints one line for each comparison with --verbose, and the worst at the end.
"""
import argparse
import array
import math
import sys

import samba

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("device")
parser.add_argument("--tolerance", type=float, default=1e-5)
parser.add_argument("--lengths", default="1,15,16,17", help="of prompts; W, W-1 and W+1 are of the window")
parser.add_argument("--batches", default="1,3")
parser.add_argument("--greedy", type=int, default=32, help="tokens to generate")
parser.add_argument("--no-check", action="store_true", help="no checks on the virtual device")
parser.add_argument("--verbose", action="store_true")
arguments = parser.parse_args()

cpu = samba.Model(arguments.model, device="cpu")
gpu = samba.Model(arguments.model, device=arguments.device, check_device=not arguments.no_check)
windows = [entry["window"] for entry in cpu.manifest["model"].get("attention", []) if entry.get("window")]
window = max(windows, default=16)
lengths = sorted({eval(text, {"W": window}) for text in arguments.lengths.split(",")})
worst = (0.0, "nothing")


def ids(count, seed):
    """Tokens that look random; the same ones in every run."""
    state, result = seed * 2654435761 + 12345, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        result.append(3 + (state >> 33) % (cpu.vocab_size - 3))
    return result


def compare(name, expected, actual):
    global worst
    square = difference = 0.0
    for one, other in zip(expected, actual, strict=True):
        square += sum(a * a for a in one)
        difference += sum((a - b) * (a - b) for a, b in zip(one, other, strict=True))
    error = math.sqrt(difference / square) if square else math.sqrt(difference)
    if arguments.verbose:
        print(f"{name}: {error:.3g}")
    if not error <= arguments.tolerance:  # NaN, too
        sys.exit(f"{arguments.model} on {gpu.device}: {name}: relative error {error:.3g}, expected at most "
                 f"{arguments.tolerance:g}")
    worst = max(worst, (error, name))


def state(session):
    return [array.array("f", session.state())]


def greatest(row):
    return max(range(len(row)), key=row.__getitem__)


def generate(model, prompt, count):
    """By logits on the CPU; a GPU chooses itself."""
    session, tokens = model.session(), []
    for _ in range(count):
        fed = tokens[-1:] or prompt
        tokens.append(session.feed_greedy(fed) if model is gpu else greatest(session.feed(fed)[0]))
    return tokens


def evaluate(sessions, text, rows="last"):
    """On the GPU, after forks of the sessions were asked for tokens in place of logits."""
    chosen = gpu.evaluate_greedy(zip([session.fork() for session in sessions], text), rows)
    logits = gpu.evaluate(zip(sessions, text), rows)
    if chosen != [greatest(row) for row in logits]:
        sys.exit(f"{arguments.model} on {gpu.device}: it chooses {chosen}, by its logits {list(map(greatest, logits))}")
    return logits


for length in lengths:
    prompt = ids(length, length)
    a, b = cpu.session(), gpu.session()
    compare(f"prompt of {length}", a.feed(prompt, "all"), b.feed(prompt, "all"))
    compare(f"a token after {length}", a.feed([7]), b.feed([7]))
    compare(f"another after {length}", a.feed([8]), b.feed([8]))
    compare(f"state after {length}", state(a), state(b))

for batch in map(int, arguments.batches.split(",")):
    sizes = [lengths[-1 - i % len(lengths)] for i in range(batch)]
    a, b = ([model.session() for _ in sizes] for model in (cpu, gpu))
    text = [ids(size, i) for i, size in enumerate(sizes)]
    compare(f"prompts of {sizes} together", cpu.evaluate(zip(a, text)), evaluate(b, text))
    for step in range(2):
        text = [ids(1, 10 * step + i) for i in range(batch)]
        compare(f"a token each, {batch} together", cpu.evaluate(zip(a, text)), evaluate(b, text))
    mixed = [ids(1 + 4 * (i % 2), i) for i in range(batch)]
    compare(f"mixed, {batch} together", cpu.evaluate(zip(a, mixed), "all"), evaluate(b, mixed, "all"))

# A prompt in pieces, and the whole one.
prompt = ids(lengths[-1], 99)
a, b = cpu.session(), gpu.session()
expected, begin = a.feed(prompt, "all"), 0
for piece in (1, 2, 7, 16, 5, len(prompt)):
    piece = min(piece, len(prompt) - begin)
    if piece:
        rows = b.feed(prompt[begin : begin + piece], "all")
        compare(f"piece {begin}+{piece}", expected[begin : begin + piece], rows)
    begin += piece

# On the GPU itself every bit must come back.
b = gpu.session()
b.feed(prompt)
child, before = b.fork(), b.dumps()
if gpu.max_rollback is None or gpu.max_rollback >= 3:
    b.mark()
    b.feed([5, 6, 7])
    b.rollback(3)
if b.dumps() != before or child.dumps() != before:
    sys.exit(f"{arguments.model} on {gpu.device}: a rollback or a fork has another state")
if list(b.feed([9])[0]) != list(child.feed([9])[0]):
    sys.exit(f"{arguments.model} on {gpu.device}: a fork goes on otherwise")
# A state of the GPU goes on at the CPU.
compare("moved to the CPU", cpu.loads(before).feed([9]), gpu.loads(before).feed([9]))

if arguments.greedy:
    expected, actual = (generate(model, ids(20, 5), arguments.greedy) for model in (cpu, gpu))
    if expected != actual:
        sys.exit(f"{arguments.model} on {gpu.device}: greedy tokens {actual}, on the CPU {expected}")
print(f"{arguments.model} on {gpu.device}: as on the CPU; worst relative error {worst[0]:.3g} ({worst[1]})")
