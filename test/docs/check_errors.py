"""check_errors.py SOURCE: each message that the documents list is expected by some test.

A message is what stands between backquotes in the first column of a table with the heading "message"; `...`, LINE, COLUMN
and LAYER in it stand for anything. It counts as expected if a test has a string with the longest piece of its fixed text,
or with at least half of that piece. What no test can bring about is listed below, with the reason."""

import os
import re
import sys

DOCUMENTS = ["docs/errors.md", "docs/runtime.md"]
CODE = (".cpp", ".h", ".c", ".test", ".mlir", ".py")
CANNOT_BE_TESTED = {
    "cannot link: no memory for a temporary file": "the compiler itself fails before",
    "cannot link: ld.lld was not found": "the linker that the build knows is found first",
    "...: entry '.../data.pkl': byte ...: expected ..., found ...": "PickleTest.cpp has each of the reasons",
    "cannot tokenize the text: ...": "SentencePiece has no text that it refuses",
    "CPU '...' is not supported: NEON is needed": "LLVM has no 64-bit Arm CPU without it",
    "LAYER: expected ...": "stands for the messages of the passes, which have tests of their own",
    "...: ...": "stands for the reasons of the system",
    "plugin '...': ...": "the reasons are those of MLIR; tests of plugins have one of each kind",
    "'...':LINE: stage ...: ...": "likewise, of passes and options",
}

# Those that have no test yet. Take a line away with the test that brings it about; nothing should come to them.
WITHOUT_TEST = {
    "'...' is lowered already, for one CPU",
    "...: tensor '...attn.attn.weight': expected rows of ...",
    "...: expected ..., as the layout fla needs it, found ...",
    "as the layout microsoft has it",
    "...: tensor '...': expected ..., as other parts of '...' have it, found ...",
    "...: expected artefact version ..., found ...",
    "'...': kernel '...' (...) has ...",
    "a GPU counts nothing",
}


def messages(path):
    """(line, message) of each table."""
    heading = ""
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not line.startswith("|"):
            heading = ""
        elif not heading:
            heading = cells[0]
        elif heading == "message":
            yield from ((number, text) for text in re.findall(r"`([^`]+)`", cells[0]) if " " in text)


def strings_of_tests(root):
    for folder, _, files in os.walk(os.path.join(root, "test")):
        for name in files:
            path = os.path.join(folder, name)
            if not name.endswith(CODE) or "goldens" in folder or path == os.path.abspath(__file__):
                continue
            text = open(path, encoding="utf-8", errors="replace").read()
            text = re.sub(r'"\s*\n\s*"', "", text)  # one literal over several lines
            if name.endswith((".test", ".mlir")):
                yield from re.findall(r"//(.*)", text)
            yield from (s.replace('\\"', '"') for s in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text))
            yield from re.findall(r"R\"\w*\((.*?)\)\w*\"", text, re.S)


def pieces(message):
    return [piece.strip(" '.:`") for piece in re.split(r"\.\.\.|\b(?:LINE|COLUMN|LAYER)\b", message)]


root = sys.argv[1]
strings = sorted({" ".join(s.split()) for s in strings_of_tests(root) if len(s) >= 8})
everything = "\n".join(strings)
wrong, count = [], 0
for document in DOCUMENTS:
    for line, message in messages(os.path.join(root, document)):
        count += 1
        if message in CANNOT_BE_TESTED or message in WITHOUT_TEST:
            continue
        piece = max(pieces(message), key=len)
        if len(piece) < 8:
            wrong.append(f"{document}:{line}: '{message}' has too little fixed text to look for")
            continue
        least = max(8, len(piece) // 2)
        if piece not in everything and not any(
            len(part) >= least and part in piece for s in strings for part in re.split(r"\{\{.*?\}\}|%\S+", s)
        ):
            wrong.append(f"{document}:{line}: no test expects '{message}'")
if count < 150:
    wrong.append(f"only {count} messages were found")
print("\n".join(wrong) or f"{count} messages")
sys.exit(bool(wrong))
