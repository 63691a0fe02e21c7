"""check_threads.py MODEL: where the threads of samba-run are, and that too many of them cost little."""

import os
import statistics
import subprocess
import sys

model = sys.argv[1]
usable = sorted(os.sched_getaffinity(0))


def fail(message):
    sys.exit(f"check_threads: {message}")


def places(threads, **environment):
    """The CPUs of each thread that has worked."""
    process = subprocess.Popen(
        ["samba-run", model, "--stream=tokens", "--threads", str(threads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    process.stdin.write(b"5\n")
    process.stdin.flush()
    process.stdout.readline()
    found = []
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/status") as file:
            found += [line.split()[1] for line in file if line.startswith("Cpus_allowed_list")]
    process.stdin.close()
    if process.wait() != 0:
        fail("the stream did not end well")
    return sorted(found)


def seconds(threads, cpus):
    """CPU time of a run that may use some CPUs only."""
    process = subprocess.Popen(
        ["samba-run", model, "--prompt", "Call me Ishmael.", "-n", "150", "--ignore-eos", "--json", "--threads", str(threads)],
        stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        fail("a run failed")
    return usage.ru_utime + usage.ru_stime


# Left alone, threads may go anywhere; OpenMP's variables bind them, one to a place.
if len(places(2)) < 2:
    fail("expected two threads")
if len(usable) >= 2:
    a, b = usable[:2]
    bound = places(2, OMP_PLACES=f"{{{a}}},{{{b}}}", OMP_PROC_BIND="true")
    if not {str(a), str(b)} <= set(bound):
        fail(f"expected threads on CPUs {a} and {b}, found {bound}")

# More threads than CPUs: those that wait must not use up the time of those that work. With threads that poll it would be
# many times as much.
pairs = [(seconds(1, usable[:1]), seconds(2, usable[:1]), seconds(8, usable[:1])) for _ in range(3)]
two = statistics.median(b / a for a, b, _ in pairs)
eight = statistics.median(c / a for a, _, c in pairs)
print(f"on one CPU: 2 threads take {two:.2f} times the CPU time of 1, 8 take {eight:.2f} times")
if two > 2.5 or eight > 5:
    fail("threads that wait take too much time")
