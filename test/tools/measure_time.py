"""Runs a command, prints its time, and fails if it computes for longer than a limit: measure_time.py SECONDS COMMAND...
The limit is on processor time, so that it does not matter what else the machine does."""
import resource
import subprocess
import sys
import time

limit, *command = sys.argv[1:]
start = time.monotonic()
subprocess.run(command, check=True)
wall = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
processor = usage.ru_utime + usage.ru_stime
print(f"{wall:.2f} s, of which the processor {processor:.2f} s")
if processor > float(limit):
    sys.exit(f"expected at most {limit} s")
