"""Compares the ids that a compiled model makes of texts with stored ones: check_tokenizer.py ARTEFACT GOLDEN BOS SCRATCH.
SCRATCH is a file that is overwritten."""
import json
import subprocess
import sys

artefact, golden, bos, scratch = sys.argv[1:]
with open(golden, encoding="utf-8") as file:
    cases = json.load(file)
for case in cases:
    with open(scratch, "w", encoding="utf-8", newline="") as file:
        file.write(case["text"])
    command = ["samba-run", artefact, "--prompt-file", scratch, "-n", "0", "--json"]
    ids = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["prompt_tokens"]
    if ids != [int(bos)] + case["ids"]:
        sys.exit(f"{case['text']!r}: expected {case['ids']}, found {ids}")
print(f"{len(cases)} texts")
