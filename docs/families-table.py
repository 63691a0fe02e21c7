"""Puts the table of model families, which `samba-inspect --list-families` prints, between the markers of a file:

families-table.py README.md < TABLE           rewrites the file
families-table.py --check README.md < TABLE   fails if it would change
"""
import sys

BEGIN, END = "<!-- families -->\n", "<!-- /families -->\n"

path = sys.argv[-1]
with open(path, encoding="utf-8") as file:
    text = file.read()
before, rest = text.split(BEGIN)
_, after = rest.split(END)
fresh = before + BEGIN + sys.stdin.read() + END + after
if "--check" not in sys.argv:
    with open(path, "w", encoding="utf-8") as file:
        file.write(fresh)
elif fresh != text:
    sys.exit(f"{path}: the table of families is stale: run ./dev.sh docs")
