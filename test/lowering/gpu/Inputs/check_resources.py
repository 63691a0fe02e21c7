"""Assembles PTX for every architecture and compares what the kernels need with a table.

The table has a line for each kind of kernel: its name, the most registers of a thread and the most bytes of static shared
memory of a block that any kernel of the kind may need on any architecture. No kernel may spill, ptxas may not warn, and a
kind that is not in the table is an error. PTX for sm_90a is assembled for that alone, and of it only the kernels that are
made for sm_90a are compared with the table. With --write the table is made from what is found."""
import argparse
import re
import subprocess
import sys

ARCHITECTURES = ("80", "86", "89", "90", "100", "120")
EXACT = ("90a",)  # of PTX that is for one architecture
SHARED_LIMIT = 48 << 10  # static

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--write", action="store_true")
parser.add_argument("ptxas")
parser.add_argument("table")
parser.add_argument("ptx", nargs="+")
arguments = parser.parse_args()

found, spills, complaints = {}, {}, []
for ptx in arguments.ptx:
    with open(ptx) as text:
        exact = re.search(r"^\.target sm_90a", text.read(), re.MULTILINE)
    for architecture in EXACT if exact else ARCHITECTURES:
        run = subprocess.run([arguments.ptxas, f"-arch=sm_{architecture}", "-v",
                              "--warning-as-error", "-o", "/dev/null", ptx], capture_output=True, text=True)
        where = f"{ptx} on sm_{architecture}"
        if run.returncode != 0:
            complaints.append(f"{where}: {run.stderr.strip().splitlines()[0]}")
            continue
        kernel = None
        for line in run.stderr.splitlines():
            if match := re.search(r"Compiling entry function '(\w+)'", line):
                kernel = match.group(1)
            elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
                kind = re.sub(r"_\d+$", "", kernel)
                spills[kind] = max(spills.get(kind, 0), *map(int, match.groups()))
            elif match := re.search(r"Used (\d+) registers", line):
                shared = re.search(r"(\d+) bytes smem", line)
                kind = re.sub(r"_\d+$", "", kernel)
                if exact and not kind.endswith("_hopper"):  # those that all architectures have
                    continue
                need = (int(match.group(1)), int(shared.group(1)) if shared else 0)
                found[kind] = tuple(map(max, need, found.get(kind, (0, 0))))

if arguments.write:
    with open(arguments.table, "w") as table:
        for kind, (registers, shared) in sorted(found.items()):
            table.write(f"{kind} {registers} {shared}\n")
    sys.exit(0)

allowed = {}
with open(arguments.table) as table:
    for line in table:
        kind, *numbers = line.split()
        allowed[kind] = tuple(map(int, numbers))
for kind, (registers, shared) in sorted(found.items()):
    if kind not in allowed:
        complaints.append(f"'{kind}' is not in the table; it needs {registers} registers, {shared} bytes")
        continue
    if registers > allowed[kind][0] or shared > allowed[kind][1]:
        complaints.append(f"'{kind}' needs {registers} registers and {shared} bytes of shared memory, expected at most "
                          f"{allowed[kind][0]} and {allowed[kind][1]}")
    if spills.get(kind):
        complaints.append(f"'{kind}' spills {spills[kind]} bytes, expected none")
    if shared > SHARED_LIMIT:
        complaints.append(f"'{kind}' needs {shared} bytes of shared memory, more than {SHARED_LIMIT}")
for kind in sorted(set(allowed) - set(found)):
    complaints.append(f"'{kind}' is in the table, but no model has such a kernel")
for complaint in complaints:
    print(complaint)
print(f"{len(found)} kinds of kernels on {len(ARCHITECTURES + EXACT)} architectures")
sys.exit(1 if complaints else 0)
