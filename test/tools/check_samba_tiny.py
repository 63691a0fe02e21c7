"""Runs the compiled samba-tiny on the prompts of generation.json, as text and as token ids, and compares prompt, tokens,
text and the logits after the prompt with what was stored."""
import argparse
import json
import math
import os
import subprocess
import sys

import safetensors

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("artefact")
parser.add_argument("model", help="directory of samba-tiny")
parser.add_argument("scratch", help="directory for files")
parser.add_argument("--tolerance", type=float, default=3e-5, help="of the logits, in norm")
parser.add_argument("--only-logits", action="store_true")
arguments = parser.parse_args()

with open(os.path.join(arguments.model, "generation.json"), encoding="utf-8") as file:
    cases = json.load(file)
golden = safetensors.load(os.path.join(arguments.model, "generation.safetensors"))
worst = 0.0


def check(name, what, found, expected):
    if found != expected:
        sys.exit(f"{name}: {what}: expected {expected!r}, found {found!r}")


for name, case in cases.items():
    prompt, greedy, last = (list(golden[f"{name}/{part}"][1]) for part in ("prompt", "greedy", "last_logits"))
    check(name, "stored tokens", greedy, case["greedy_ids"])
    tokens = os.path.join(arguments.scratch, "tokens.json")
    with open(tokens, "w", encoding="utf-8") as file:
        json.dump(prompt, file)
    for source in ["--prompt", case["prompt"]], ["--tokens", tokens]:
        length = 0 if arguments.only_logits else len(greedy)
        logits = os.path.join(arguments.scratch, "logits")
        command = ["samba-run", arguments.artefact, *source, "-n", str(length), "--json", "--dump-logits", logits]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        check(name, "prompt", result["prompt_tokens"], prompt)
        if not arguments.only_logits:
            check(name, "tokens", result["tokens"], greedy)
            check(name, "text", result["text"], case["continuation"])
        row = safetensors.load(logits)["logits"][1][-len(last) :]
        error = math.dist(row, last) / math.hypot(*last)
        if not error <= arguments.tolerance:
            sys.exit(f"{name}: logits: relative error {error:.3g}")
        worst = max(worst, error)
print(f"{len(cases)} prompts, largest relative error of the logits {worst:.3g}")
