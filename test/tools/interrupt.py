"""Ends a compilation by a signal and looks at what it leaves behind: interrupt.py SIGNAL FOLDER OUTPUT COMMAND...

FOLDER is empty before. It happens twice: soon after the start, and as soon as a file appears in FOLDER, that is while
it is being written. OUTPUT must never be there; after a signal that a program can handle, FOLDER is empty again.

With "ignored" before SIGNAL, whoever starts the compilation wants it to ignore the signal, as nohup does: it finishes."""
import os
import signal
import subprocess
import sys
import time

arguments = sys.argv[1:]
ignored = arguments[0] == "ignored"
name, folder, output, *command = arguments[1:] if ignored else arguments
number = getattr(signal, name)


def prepare():
    """A shell ignores some signals for what it runs in the background."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)


def run(when):
    """True if the signal came in time."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=prepare)
    deadline = time.monotonic() + 60
    while process.poll() is None and not when():
        if time.monotonic() > deadline:
            process.kill()
            sys.exit("the compilation hangs")
        time.sleep(0.001)
    process.send_signal(number)
    code = process.wait()
    if code not in (0, -number):
        sys.exit(f"the compilation ended with {code}")
    return code != 0


def check(moment):
    left = os.listdir(folder)
    if output in left:
        sys.exit(f"{name} {moment} has left {output}")
    if left and number != signal.SIGKILL:
        sys.exit(f"{name} {moment} has left {left}")
    for leftover in left:
        os.remove(os.path.join(folder, leftover))


def wait_a_little():
    time.sleep(0.1)
    return True


if ignored:
    if run(lambda: os.listdir(folder)) or os.listdir(folder) != [output]:
        sys.exit(f"ignored {name} has stopped the compilation")
    sys.exit()
if not run(wait_a_little):
    sys.exit("the compilation was done before it could be interrupted")
check("at the start")
for attempt in range(10):
    if run(lambda: os.listdir(folder)):
        check("while writing")
        break
    os.remove(os.path.join(folder, output))
else:
    sys.exit("the file was complete each time before the signal came")
