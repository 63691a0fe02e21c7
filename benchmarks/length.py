#!/usr/bin/env python3
"""Measures what a token costs at which position, with the window of SAMBA and with full attention in its place; writes
benchmarks/results/NAME-length.json, .md and .svg and puts the table into docs/performance.md.

usage: benchmarks/length.py NAME [--build build] [--shape Samba_421M] [--precision bf16] [--threads 2]
                            [--length 100000] [--full 65536] [--keep DIR]

Two models with the same random weights read the same tokens in steps of 512, in turns, step by step: a minute in which the
machine is slow is one for both. Behind 4096, 8192, 16384, ... tokens each generates some. Beside each of these, so does a
sequence that stays near 4096 tokens: `flat` is the ratio to that, a ratio of neighbours in time.

Needs nothing but Python's standard library."""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time

import measuring

HERE = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name")
parser.add_argument("--build", default=os.path.join(HERE, "..", "build"), help="build folder (default: build)")
parser.add_argument("--shape", default="Samba_421M", help="for samba-synthesize (default Samba_421M)")
parser.add_argument("--precision", default="bf16", help="of weight matrices (default bf16)")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--length", type=int, default=100000, help="tokens (default 100000)")
parser.add_argument("--full", type=int, default=65536, help="tokens for full attention, whose state grows (default 65536)")
parser.add_argument("--keep", help="a folder for the models, which stay there for the next run (default: temporary)")
arguments = parser.parse_args()
os.environ.setdefault("SAMBA_LIBRARY", os.path.join(arguments.build, "lib", "libsamba.so"))
sys.path.insert(0, os.path.join(HERE, "..", "bindings", "python"))
import samba  # noqa: E402

STEP, NEAR, GENERATED = 512, 4096, 32


def compile_models(folder):
    tool = lambda name: os.path.join(arguments.build, "bin", name)  # noqa: E731
    source, control = os.path.join(folder, os.path.basename(arguments.shape)), os.path.join(folder, "full-attention")
    if not os.path.exists(source):
        subprocess.run([tool("samba-synthesize"), "--shape=" + arguments.shape, "-o", source], check=True)
    os.makedirs(control, exist_ok=True)
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["attn"]["window_size"] = None
    config["max_position_embeddings"] = arguments.full + 2048
    with open(os.path.join(control, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)
    for name in os.listdir(source):
        if name != "config.json" and not os.path.exists(os.path.join(control, name)):
            os.link(os.path.join(source, name), os.path.join(control, name))
    models = {}
    for name, model in ("window", source), ("full", control):
        path = os.path.join(folder, f"{name}-{arguments.precision}.so")
        subprocess.run([tool("samba-compile"), model, "--precision=" + arguments.precision, "--quiet", "-o", path], check=True)
        models[name] = samba.Model(path, threads=arguments.threads)
    return models


class Sequence:
    def __init__(self, model):
        self.model, self.session = model, model.session()
        self.random, self.read_seconds, self.points, self.near = random.Random(0), [], [], None

    def tokens(self, count):
        return [self.random.randrange(3, self.model.vocab_size) for _ in range(count)]

    def timed(self, session, tokens):
        start = time.perf_counter()
        session.feed(tokens)
        return time.perf_counter() - start

    def read(self):
        self.read_seconds.append(self.timed(self.session, self.tokens(STEP)))

    def generate(self):
        """Here and near the beginning, token by token in turns."""
        position = self.session.position
        if self.near is None:
            # Read again and not forked: a fork of full attention would copy its whole state.
            self.near = self.model.session()
            for _ in range(NEAR // STEP):
                self.near.feed(self.tokens(STEP))
        here, near = [], []
        for token in self.tokens(GENERATED):
            here.append(self.timed(self.session, [token]))
            near.append(self.timed(self.near, [token]))
        here, near = statistics.median(here), statistics.median(near)
        self.points.append(dict(position=position, generate_s=here, flat=here / near))


def measure(models):
    sequences = {name: Sequence(model) for name, model in models.items()}
    limits, points = {"window": arguments.length, "full": arguments.full}, {NEAR << i for i in range(20)} | {arguments.length}
    for position in range(STEP, arguments.length + STEP, STEP):
        for name, sequence in sequences.items():
            if position - STEP < limits[name]:
                sequence.read()
                if position in points or position - STEP < limits[name] <= position:
                    sequence.generate()
        if sys.stderr.isatty() or position % (32 * STEP) == 0:
            print(f"\r{position} of {arguments.length} tokens", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return sequences


def summary(sequences):
    """Per variant and position: tokens/s of the whole prompt up to it, seconds per token of the last 4096, generation."""
    result = {}
    for name, sequence in sequences.items():
        seconds, rows = sequence.read_seconds, []
        for point in sequence.points:
            steps = -(-point["position"] // STEP)
            recent = seconds[max(0, steps - NEAR // STEP) : steps]
            rows.append(dict(point, prompt_tokens_per_s=steps * STEP / sum(seconds[:steps]),
                             recent_tokens_per_s=STEP / statistics.median(recent),
                             generate_tokens_per_s=1 / point["generate_s"]))  # fmt: skip
        result[name] = rows
    return result


def markdown(result):
    full = {row["position"]: row for row in result["points"]["full"]}
    lines = [result["machine"], "",
             "| tokens before | prompt so far, tokens/s | last 4096, tokens/s | generation, tokens/s | generation: time over that "
             "near 4096 | full: prompt so far | full: generation | window / full, prompt | window / full, generation |",
             "| " + " | ".join(["---:"] * 9) + " |"]  # fmt: skip
    for row in result["points"]["window"]:
        cells = [str(row["position"])] + [f"{row[key]:.4g}" for key in
                 ("prompt_tokens_per_s", "recent_tokens_per_s", "generate_tokens_per_s")] + [f"{row['flat']:.3f}"]  # fmt: skip
        other = full.get(row["position"])
        for key in ("prompt_tokens_per_s", "generate_tokens_per_s") if other else ():
            cells.append(f"{other[key]:.4g}")
        for key in ("prompt_tokens_per_s", "generate_tokens_per_s") if other else ():
            cells.append(f"{row[key] / other[key]:.2f}")
        lines.append("| " + " | ".join(cells + ["-"] * (9 - len(cells))) + " |")
    return "\n".join(lines) + "\n"


def svg(result):
    """Two panels: seconds per thousand tokens read, and per thousand generated, against the position."""
    width, height, left, top, gap = 420, 240, 56, 30, 80
    colours = {"window": "#0a7d4f", "full": "#b3431e"}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width + gap + left + 20}" height="{height + top + 56}" '
           'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    longest = arguments.length
    for panel, (key, title) in enumerate([("recent_tokens_per_s", "reading a prompt"), ("generate_tokens_per_s", "generating")]):
        x0 = left + panel * (width + gap)
        values = {name: [(row["position"], 1000 / row[key]) for row in rows] for name, rows in result["points"].items()}
        most = 1.1 * max(value for rows in values.values() for _, value in rows)
        at = lambda position, value: (x0 + width * position / longest, top + height * (1 - value / most))  # noqa: E731
        out.append(f'<text x="{x0}" y="18" font-weight="bold">{title}: seconds per 1000 tokens at a position</text>')
        out.append(f'<path d="M{x0} {top}V{top + height}H{x0 + width}" fill="none" stroke="#888"/>')
        for i in range(5):
            x, y = at(longest * i / 4, most * i / 4)
            out.append(f'<text x="{x}" y="{top + height + 18}" text-anchor="middle">{longest * i // 4}</text>')
            out.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{most * i / 4:.3g}</text>')
        for name, rows in values.items():
            points = " ".join("{:.1f},{:.1f}".format(*at(*row)) for row in rows)
            out.append(f'<polyline points="{points}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
            x, y = at(*rows[-1])
            label = {"window": "sliding window", "full": "full attention"}[name]
            out.append(f'<text x="{x - 6:.1f}" y="{y - 6:.1f}" text-anchor="end" fill="{colours[name]}">{label}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    with measuring.models_folder(arguments.keep) as folder:
        machine = (f"{measuring.cpu()}, {arguments.threads} threads, load average {os.getloadavg()[0]:.2f}; "
                   f"{os.path.basename(arguments.shape)}, {arguments.precision}")  # fmt: skip
        result = dict(machine=machine, points=summary(measure(compile_models(folder))))
        measuring.store(arguments.name, "length", result, md=markdown(result), svg=svg(result))


if __name__ == "__main__":
    main()
