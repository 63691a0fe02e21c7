"""Runs a command as a process whose number belonged to one that was killed while libomp noted that it is loaded, which
leaves an empty file: stale_registration.py COMMAND... Afterwards the file must be gone."""
import os
import sys

name = f"__KMP_REGISTERED_LIB_{{}}_{os.getuid()}"
child = os.fork()
if child == 0:
    for folder in "/dev/shm", "/tmp":
        os.close(os.open(os.path.join(folder, name.format(os.getpid())), os.O_CREAT | os.O_WRONLY, 0o600))
    os.execvp(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(child, 0)
left = [folder for folder in ("/dev/shm", "/tmp") if os.path.exists(os.path.join(folder, name.format(child)))]
for folder in left:
    os.unlink(os.path.join(folder, name.format(child)))
if status != 0 or left:
    sys.exit(f"the command ended with status {status:#x}; files left in {left}")
