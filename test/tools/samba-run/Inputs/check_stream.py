"""check_stream.py MODEL TEXT TOKENS FOLDER LIBRARY BINDINGS: streams at least TOKENS tokens and checks scores and memory."""

import ctypes
import json
import os
import subprocess
import sys

model, path, count, folder, library, bindings = sys.argv[1:]
count = int(count)
os.environ["SAMBA_LIBRARY"] = library
sys.path.insert(0, bindings)
import samba  # noqa: E402


def fail(message):
    sys.exit(f"check_stream: {message}")


text = open(path, encoding="utf-8").read()
ids = samba.Model(model).tokenize(text, special=False)
ids = (ids * (count // len(ids) + 1))[:count]


def resident(process):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


# Memory after the first tenth and at the end.
process = subprocess.Popen(
    ["samba-run", model, "--stream=tokens"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 20
)
lines, sizes = [], []
for begin in range(0, count, 500):
    part = ids[begin : begin + 500]
    process.stdin.write(" ".join(map(str, part)) + "\n")
    process.stdin.flush()
    lines += [json.loads(process.stdout.readline()) for _ in part]
    sizes.append(resident(process))
process.stdin.close()
if process.wait() != 0 or process.stdout.read():
    fail("the stream did not end well")
early, late = max(sizes[: max(1, len(sizes) // 10)]), sizes[-1]
if late > early + 1024:
    fail(f"memory grew from {early} to {late} KiB")
if [line["token"] for line in lines] != ids or [line["position"] for line in lines] != list(range(count)):
    fail("tokens or positions are wrong")

# The log likelihood is that of --score, which begins with the begin token.
with open(folder + "/ids.json", "w") as file:
    json.dump(ids, file)
score = json.loads(subprocess.run(["samba-run", model, "--score", folder + "/ids.json"], capture_output=True).stdout)
first = samba.Model(model)
nll = -sum(line["logprob"] for line in lines[200:]) / (count - 200)
if abs(nll - score["nll_per_token"]) > 0.1 * score["nll_per_token"]:
    fail(f"{nll} per token, --score says {score['nll_per_token']}")

# Text is cut between words: the tokens are those of the whole text.
out = subprocess.run(
    ["samba-run", model, "--stream"], input=text[:20000].encode(), capture_output=True, check=True
).stdout.decode()
streamed = [json.loads(line)["token"] for line in out.splitlines()]
if streamed != first.tokenize(text[:20000]):
    fail("streamed text has other tokens than the whole")

# Beyond 2^31: the same state at a position with the same slots of the rings.
session = first.session()
session.feed(ids[:256], "none")
far_session = first.session()
state = session.state()
restore = samba._c.samba_session_restore
restore.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int64]
if restore(far_session._handle, state, len(state), 2**33 + 256) != 0:
    fail("restore")
far_session.save(folder + "/far")
out = subprocess.run(
    ["samba-run", model, "--stream=tokens", "--load-state", folder + "/far"],
    input=" ".join(map(str, ids[256:456])).encode(), capture_output=True, check=True,
).stdout.splitlines()  # fmt: skip
far_lines = [json.loads(line) for line in out]
if far_lines[-1]["position"] != 2**33 + 256 + 199:
    fail("wrong position beyond 2^31")
# Keys of before have another distance, so compare only when the window has passed.
if not all(line["logprob"] is None or -50 < line["logprob"] <= 0 for line in far_lines):
    fail("scores beyond 2^31 are not finite")
tail = [abs(a["logprob"] - b["logprob"]) for a, b in zip(far_lines[150:], lines[406:456])]
if sum(tail) / len(tail) > 0.2:
    fail(f"scores beyond 2^31 differ by {sum(tail) / len(tail)} on average")
print(f"{early} KiB early, {late} KiB late; beyond 2^31 scores differ by {sum(tail) / len(tail):.3g} on average")
