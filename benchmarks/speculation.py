#!/usr/bin/env python3
"""Compares `samba-run --speculate=lookup` with plain decoding.

    benchmarks/speculation.py MODEL TEXT --library libsamba.so [--prompts 1000] [--run samba-run]

Prompts are pieces of TEXT. Reported are, for greedy decoding, for sampling at temperature 0.8, and for greedy decoding of
prompts that repeat themselves:

  same       how many of the texts are the same, which must be all but for ties within rounding
  tokens_per_pass
  speed_up   by counts: what passes of one row would have taken, over what the passes took, each by the time of a pass of
             so many rows. That is measured first, in CPU time of one thread, so a busy machine does not matter
  wall       the same by the clock, as the median over the prompts

Exit status 1 if a greedy text differs (--allow N: more than N), if sampling gets slower than 0.97 times plain decoding, or
text that repeats itself not 1.5 times as fast."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("text")
parser.add_argument("--library", required=True, help="libsamba.so, for the tokenizer and the cost of passes")
parser.add_argument("--prompts", type=int, default=1000)
parser.add_argument("--allow", type=int, default=0)
parser.add_argument("--run", default="samba-run")
arguments = parser.parse_args()
os.environ["SAMBA_LIBRARY"] = arguments.library
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bindings", "python"))
import samba  # noqa: E402

model = samba.Model(arguments.model, threads=1)
known = model.tokenize(open(arguments.text, encoding="utf-8").read(), special=False)
begin = model.tokenize("", special=True)


def cost_of_passes(rows=8, repetitions=25):
    """CPU time of passes of 1 .. rows tokens, over that of one."""
    session, times = model.session(), [[] for _ in range(rows)]
    session.feed(known[:200], "none")
    for _ in range(repetitions):
        for count in range(1, rows + 1):
            # As in speculation, passes with guesses are marked.
            start = time.thread_time()
            session.forget_marks()
            if count > 1:
                session.mark()
            session.feed(known[300 : 300 + count], "all")
            times[count - 1].append(time.thread_time() - start)
    medians = [statistics.median(one) for one in times]
    return [one / medians[0] for one in medians]


def generate(prompt, folder, *options):
    path = os.path.join(folder, "tokens.json")
    with open(path, "w") as file:
        json.dump(prompt, file)
    command = [arguments.run, arguments.model, "--tokens", path, "--json", "--threads", "1", "--ignore-eos", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compare(prompts, *options):
    same, plain_rows, weighted, tokens, passes, ratios = 0, 0, 0.0, 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        for number, prompt in enumerate(prompts):
            modes = [[], ["--speculate=lookup"]]
            results = [generate(prompt, folder, *options, *mode) for mode in (modes if number % 2 else modes[::-1])]
            plain, guessed = results if number % 2 else results[::-1]
            same += plain["tokens"] == guessed["tokens"]
            counts = guessed["speculation"]["passes_by_rows"]
            plain_rows += len(guessed["tokens"]) - 1
            weighted += sum(count * cost[rows] for rows, count in enumerate(counts))
            tokens += len(guessed["tokens"]) - 1
            passes += sum(counts)
            ratios.append(plain["timings"]["generation_s"] / guessed["timings"]["generation_s"])
    return {
        "prompts": len(prompts),
        "same": same,
        "tokens_per_pass": round(tokens / passes, 3),
        "speed_up": round(plain_rows / weighted, 3),
        "wall": round(statistics.median(ratios), 3),
    }


def piece(i, count):
    at = i * 997 % (len(known) - count)
    return known[at : at + count]


cost = cost_of_passes()
prompts = [begin + piece(i, 8 + i * 13 % 60) for i in range(arguments.prompts)]
few = max(5, arguments.prompts // 10)
# Long greedy texts of small models end in circles, sooner after a few words over and over.
repeated = [begin + piece(i, 4 + i % 5) * 25 for i in range(few)]
report = {
    "cost_of_passes": [round(one, 3) for one in cost],
    "greedy": compare(prompts, "-n", "48"),
    "sampled": compare(prompts[:few], "-n", "128", "--temp", "0.8", "--seed", "3"),
    "repetitive": compare(repeated, "-n", "400"),
}
print(json.dumps(report, indent=1))
complaints = []
if report["greedy"]["prompts"] - report["greedy"]["same"] > arguments.allow:
    complaints.append("other greedy texts")
if min(report["greedy"]["speed_up"], report["sampled"]["speed_up"]) < 0.97:
    complaints.append("slower than plain decoding")
if report["repetitive"]["speed_up"] < 1.5:
    complaints.append("too slow where text repeats itself")
for complaint in complaints:
    print(f"speculation: {complaint}", file=sys.stderr)
sys.exit(bool(complaints))
