"""Runs a command that must fail in the way that users are promised: soon, with the exit code, and with one line on
standard error, which begins with the tool's name and contains a text."""
import argparse
import os
import resource
import subprocess
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--exit", type=int, default=1)
parser.add_argument("--tool", help="the name that the line begins with, if not the command's")
parser.add_argument("--file-size", type=int, help="bytes to which files can grow")
parser.add_argument("--stdout", default=os.devnull)
parser.add_argument("text")
parser.add_argument("command", nargs=argparse.REMAINDER)
arguments = parser.parse_args()


def limit():
    if arguments.file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.file_size, arguments.file_size))


with open(arguments.stdout, "wb") as stdout:
    result = subprocess.run(arguments.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                            timeout=60, preexec_fn=limit)
message = result.stderr.decode(errors="replace")
tool = arguments.tool or os.path.basename(arguments.command[0])
complaints = []
if result.returncode != arguments.exit:
    complaints.append(f"exit code {result.returncode}, expected {arguments.exit}")
if message.count("\n") != 1 or not message.endswith("\n"):
    complaints.append("expected one line")
if not message.startswith(f"{tool}: error: "):
    complaints.append(f"expected it to begin with '{tool}: error: '")
if arguments.text not in message:
    complaints.append(f"expected it to contain '{arguments.text}'")
if len(message) > 1000:
    complaints.append("expected a line that can be read")
if complaints:
    sys.exit("\n".join([" ".join(arguments.command), *complaints, "standard error:", message]))
