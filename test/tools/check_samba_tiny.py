"""Runs the compiled samba-tiny on the prompts of generation.json, as text and as token ids, and compares prompt, tokens,
text and the logits after the prompt with what was stored: check_samba_tiny.py ARTEFACT MODEL_DIR SCRATCH_DIR."""
import json
import math
import os
import subprocess
import sys

import safetensors

TOLERANCE = 3e-5  # of the logits, in norm

artefact, model, scratch = sys.argv[1:]
with open(os.path.join(model, "generation.json"), encoding="utf-8") as file:
    cases = json.load(file)
golden = safetensors.load(os.path.join(model, "generation.safetensors"))
worst = 0.0


def check(name, what, found, expected):
    if found != expected:
        sys.exit(f"{name}: {what}: expected {expected!r}, found {found!r}")


for name, case in cases.items():
    prompt, greedy, last = (list(golden[f"{name}/{part}"][1]) for part in ("prompt", "greedy", "last_logits"))
    check(name, "stored tokens", greedy, case["greedy_ids"])
    tokens = os.path.join(scratch, "tokens.json")
    with open(tokens, "w", encoding="utf-8") as file:
        json.dump(prompt, file)
    for source in ["--prompt", case["prompt"]], ["--tokens", tokens]:
        logits = os.path.join(scratch, "logits")
        command = ["samba-run", artefact, *source, "-n", str(len(greedy)), "--json", "--dump-logits", logits]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        check(name, "prompt", result["prompt_tokens"], prompt)
        check(name, "tokens", result["tokens"], greedy)
        check(name, "text", result["text"], case["continuation"])
        row = safetensors.load(logits)["logits"][1][-len(last) :]
        error = math.dist(row, last) / math.hypot(*last)
        if not error <= TOLERANCE:
            sys.exit(f"{name}: logits: relative error {error:.3g}")
        worst = max(worst, error)
print(f"{len(cases)} prompts, largest relative error of the logits {worst:.3g}")
