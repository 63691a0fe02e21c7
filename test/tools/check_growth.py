"""Compares the code of two objects: check_growth.py SMALL LARGE LAYERS LIMIT fails if LARGE, which has that many layers
more, has more than LIMIT bytes of code and constants for each of them."""
import subprocess
import sys

small, large, layers, limit = sys.argv[1:]
sizes = []
for path in small, large:
    table = subprocess.run(["llvm-size", path], check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")
    sizes.append(int(table[1].split()[0]))
growth = (sizes[1] - sizes[0]) / int(layers)
print(f"{sizes[0]} and {sizes[1]} bytes: {growth:.0f} for each layer")
if growth > float(limit):
    sys.exit(f"expected at most {limit}")
