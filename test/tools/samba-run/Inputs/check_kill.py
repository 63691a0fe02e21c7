"""check_kill.py MODEL TEXT KILLS FOLDER: kills `samba-run --batch` at random moments, runs the same command again until it
is done, and compares the results with those of a run that was not killed. That is repeated until KILLS runs were killed
before their end. SEED in the environment is that of the moments."""

import json
import os
import random
import signal
import subprocess
import sys
import time

model, text, kills, folder = sys.argv[1], open(sys.argv[2], encoding="utf-8").read(), int(sys.argv[3]), sys.argv[4]
moments = random.Random(int(os.environ.get("SEED", 1)))
batch, output = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
journal = output + ".partial"


def fail(message):
    sys.exit(f"check_kill: {message}")


def write_batch(lines):
    with open(batch, "w") as file:
        for i in range(lines):
            begin = i * 997 % (len(text) - 400)
            line = {"prompt": text[begin : begin + 20 + i * 37 % 300], "n": 5 + i * 11 % 40, "id": f"line {i}"}
            if i % 3 == 1:
                line.update(temp=0.9, seed=i, stop="the end")
            if i % 10 == 7:
                line = {"prompt": 7}  # wrong lines have results, too
            file.write(json.dumps(line) + "\n")


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def check(options, lines, wanted):
    """Returns at how many places of the results runs were killed."""
    write_batch(lines)
    command = ["samba-run", model, "--batch", batch, "-o", output, "--threads", "1", *options]
    start = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - start
    expected = open(output, "rb").read()
    if expected.count(b"\n") != lines:
        fail("a run that was not killed has too few results")
    killed, places = 0, set()
    while killed < wanted:
        os.remove(output)
        before = 0
        while True:
            process = subprocess.Popen(command)
            try:
                code = process.wait(moments.uniform(0, 0.4 * seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                code = process.wait()
            if code == 0:
                break
            if code != -signal.SIGKILL:
                fail(f"a run ended with {code}")
            killed += 1
            if os.path.exists(output):
                continue  # in the moment after its end
            now = size(journal)
            if now < before:
                fail(f"the journal had {before} bytes, and {now} after the next run was killed")
            if now > before:
                places.add(now)
            before = now
        if open(output, "rb").read() != expected:
            fail(f"other results after {killed} kills, see {output}")
        if sorted(os.listdir(folder)) != ["in.jsonl", "out.jsonl"]:
            fail(f"left behind: {os.listdir(folder)}")
    return killed, len(places)


# Alone, a prompt has the same steps in each run, so log probabilities are the same to the last bit. Among others it has
# not, and texts are the same as far as no two tokens are equally probable within rounding.
for options, lines, wanted in (
    (["--concurrency", "1", "--logprobs", "2"], 60, kills // 2),
    (["--concurrency", "5", "--budget", "64"], 120, kills - kills // 2),
):
    killed, places = check(options, lines, wanted)
    print(f"{' '.join(options)}: killed {killed} times, {places} times after new results: the same {lines} lines")
