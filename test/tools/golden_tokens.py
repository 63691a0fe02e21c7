"""Token ids of golden files.

golden_tokens.py extract GOLDEN TENSOR          prints a tensor as a JSON array
golden_tokens.py check RUN GOLDEN PROMPT GREEDY compares the JSON that `samba-run --json` has written to a file with the
                                                tensors of prompt and continuation
"""
import json
import sys

import safetensors

command, *arguments = sys.argv[1:]
if command == "extract":
    golden, name = arguments
    print(json.dumps(list(safetensors.load(golden)[name][1])))
elif command == "check":
    run, golden, prompt, greedy = arguments
    with open(run, encoding="utf-8") as file:
        result = json.load(file)
    tensors = safetensors.load(golden)
    for key, name in ("prompt_tokens", prompt), ("tokens", greedy):
        if result[key] != list(tensors[name][1]):
            sys.exit(f"{run}: {key}: expected {list(tensors[name][1])}, found {result[key]}")
else:
    sys.exit(__doc__)
