"""Compares perplexities with stored ones: check_score.py ARTEFACT MODEL_DIR TOLERANCE LENGTH..."""
import json
import os
import subprocess
import sys

artefact, model, tolerance, *lengths = sys.argv[1:]
with open(os.path.join(model, "measurements.json"), encoding="utf-8") as file:
    stored = json.load(file)["perplexity_by_length"]["values"]
for length in lengths:
    command = ["samba-run", artefact, "--score", os.path.join(model, "validation.txt")]
    command += ["--context", length, "--max-tokens", "16384"]
    result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if result["tokens"] != 16384:
        sys.exit(f"expected 16384 tokens, found {result['tokens']}")
    error = abs(result["perplexity"] / stored[length] - 1)
    print(f"length {length}: perplexity {result['perplexity']:.6f}, stored {stored[length]:.6f}, error {error:.2g}")
    if not error <= float(tolerance):
        sys.exit("the error is too large")
