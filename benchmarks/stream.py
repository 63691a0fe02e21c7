#!/usr/bin/env python3
"""Reads a long text with `samba-run --stream=tokens` and checks that its end costs and scores what its beginning does.

    benchmarks/stream.py MODEL TEXT --library libsamba.so [--tokens 1000000] [--piece 1] [--run samba-run]

The tokens of TEXT are repeated in buckets of 10,000. Checked are, with exit status 1 if one is not so:

  memory       after 10,000 tokens and at the end differs by less than 1 MiB
  time         CPU time of the last 10,000 tokens is within 3 % of that of 10,000 tokens near the beginning. A second
               process reads the same tokens from a fresh state, in turns of 500 tokens with the old one, so that both
               have the same share of a busy machine; the ratio is the median over the turns
  perplexity   of the buckets has no trend: the slope of the mean log probability over the buckets is within three of
               its standard errors, or is a thousandth over all of the run
  restoring    a run that is saved half way and restored gives the same scores, to the last bit, as one without a break

Each piece is written when the one before is done, so that all runs are cut into the same steps."""
import argparse
import array
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

BUCKET = 10000
TURN = 500

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("text")
parser.add_argument("--library", required=True, help="libsamba.so, for the tokenizer")
parser.add_argument("--tokens", type=int, default=1000000, help="a multiple of 20,000")
parser.add_argument("--piece", type=int, default=1, help="tokens that are given at a time, a divisor of 500")
parser.add_argument("--run", default="samba-run")
arguments = parser.parse_args()
if arguments.tokens % (2 * BUCKET) or TURN % arguments.piece:
    parser.error("expected a multiple of 20,000 tokens and a divisor of 500")

os.environ["SAMBA_LIBRARY"] = arguments.library
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bindings", "python"))
import samba  # noqa: E402

known = samba.Model(arguments.model).tokenize(open(arguments.text, encoding="utf-8").read(), special=False)
period = len(known) // BUCKET * BUCKET
if period == 0:
    parser.error(f"expected a text of at least {BUCKET} tokens, found {len(known)}")


def ids(begin, end):
    return [known[i % period] for i in range(begin, end)]


class Stream:
    """A process that reads tokens."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [arguments.run, arguments.model, "--stream=tokens", "--threads", "1", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 16,
        )  # fmt: skip
        self.scores = array.array("d")

    def feed(self, begin, end):
        for at in range(begin, end, arguments.piece):
            part = ids(at, min(end, at + arguments.piece))
            self.process.stdin.write(b" ".join(b"%d" % token for token in part) + b"\n")
            self.process.stdin.flush()
            for _ in part:
                score = json.loads(self.process.stdout.readline())["logprob"]
                self.scores.append(math.nan if score is None else score)

    def cpu(self):
        """Nanoseconds of its only busy thread."""
        with open(f"/proc/{self.process.pid}/schedstat") as file:
            return int(file.read().split()[0])

    def memory(self):
        """KiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def end(self):
        self.process.stdin.close()
        if self.process.stdout.read() or self.process.wait() != 0:
            sys.exit("stream: the run did not end well")


def cost(stream, begin):
    """CPU time of the next turn."""
    before = stream.cpu()
    stream.feed(begin, begin + TURN)
    return stream.cpu() - before


def trend(values):
    """The slope of values over their indices, and its standard error."""
    count, mean = len(values), statistics.fmean(values)
    middle = (count - 1) / 2
    squares = sum((i - middle) ** 2 for i in range(count))
    slope = sum((i - middle) * (value - mean) for i, value in enumerate(values)) / squares
    rest = sum((value - mean - slope * (i - middle)) ** 2 for i, value in enumerate(values))
    return slope, math.sqrt(rest / max(1, count - 2) / squares)


total, half = arguments.tokens, arguments.tokens // 2
complaints = []

old = Stream()
old.feed(0, BUCKET)
early = old.memory()
first = [cost(old, at) for at in range(BUCKET, 2 * BUCKET, TURN)]
old.feed(2 * BUCKET, total - BUCKET)
young = Stream()
young.feed(total - BUCKET - 4 * TURN, total - BUCKET)
turns = []
for number, at in enumerate(range(total - BUCKET, total, TURN)):
    if number % 2:
        turns.append((cost(young, at), cost(old, at)))
    else:
        turns.append((cost(old, at), cost(young, at))[::-1])
late = old.memory()
old.end()
young.end()
ratio = statistics.median(after / before for before, after in turns)
if abs(late - early) >= 1024:
    complaints.append(f"memory went from {early} to {late} KiB")
if abs(ratio - 1) > 0.03:
    complaints.append(f"the last tokens take {ratio} times as long as the first")

# The text is the same in every period: take its own ups and downs out, and the first bucket, which knows no past.
buckets = [statistics.fmean(old.scores[i * BUCKET + (i == 0) : (i + 1) * BUCKET]) for i in range(total // BUCKET)]
kinds = period // BUCKET
means = [statistics.fmean(buckets[kind + kinds :: kinds] or buckets[kind::kinds]) for kind in range(kinds)]
flat = [bucket - means[i % kinds] for i, bucket in enumerate(buckets)][kinds:]
slope, error = trend(flat)
if abs(slope) > 3 * error and abs(slope) * len(buckets) > 1e-3:
    complaints.append(f"the log probability changes by {slope} +- {error} per bucket")

with tempfile.TemporaryDirectory() as folder:
    state = os.path.join(folder, "state")
    before = Stream("--save-state", state)
    before.feed(0, half)
    before.end()
    after = Stream("--load-state", state)
    after.feed(half, total)
    after.end()
# The first token after a restored state has no score.
if before.scores[1:] != old.scores[1:half] or after.scores[1:] != old.scores[half + 1 :]:
    complaints.append("a run that was saved and restored has other scores")

per_token = [statistics.median(times) / TURN / 1000 for times in (first, [after for _, after in turns])]
print(json.dumps({
    "tokens": total,
    "piece": arguments.piece,
    "memory_kib": [early, late],
    "cpu_us_per_token": {"second_bucket": per_token[0], "last_bucket": per_token[1]},
    "cpu_ratio_late_to_early_in_turns": ratio,
    "perplexity": {"first": math.exp(-buckets[kinds]), "last": math.exp(-buckets[-kinds]),
                   "same_text_deviation": math.exp(-means[0]) * statistics.pstdev(flat),
                   "sampling_error_of_a_bucket": math.exp(-means[0]) * statistics.pstdev(old.scores[1:BUCKET]) / BUCKET**0.5},
    "log_probability_trend_per_bucket": [slope, error],
    "restored_scores_equal": "other scores" not in "".join(complaints),
}, indent=1))  # fmt: skip
for complaint in complaints:
    print(f"stream: {complaint}", file=sys.stderr)
sys.exit(bool(complaints))
