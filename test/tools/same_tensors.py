"""Two safetensors files hold the same tensors, bit by bit: same_tensors.py ACTUAL EXPECTED"""
import sys

import safetensors


def load(path):
    header, data = safetensors.split(path)
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


actual, expected = (load(path) for path in sys.argv[1:3])
if actual.keys() != expected.keys():
    sys.exit(f"names differ: {sorted(actual.keys() ^ expected.keys())}")
for name, tensor in expected.items():
    if actual[name] != tensor:
        sys.exit(f"{name}: found {actual[name][:2]}, expected {tensor[:2]}, or the values differ")
