"""A conversation at a terminal, in which Ctrl-C is pressed: chat_terminal.py FOLDER COMMAND...

COMMAND is samba-run --chat with answers that would not end. Ctrl-C ends an answer and the prompt comes back; the
conversation knows the answer as far as it came; its state is that of what was said, which the saved files show; at the
prompt Ctrl-C only says how to end; and Ctrl-D ends with status 0."""
import json
import os
import pty
import select
import sys
import termios
import time

folder, *command = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
# By itself a terminal throws away at Ctrl-C what it has not shown yet.
attributes = termios.tcgetattr(terminal)
attributes[3] |= termios.NOFLSH
termios.tcsetattr(terminal, termios.TCSANOW, attributes)
shown = ""
deadline = time.monotonic() + 120


def fail(what):
    try:
        os.kill(child, 9)
    except ProcessLookupError:
        pass  # it has ended
    sys.exit(f"{what}; the terminal shows {shown[-2000:]!r}")


def expect(text, what):
    """Reads on until `text` comes, and returns what came before it."""
    global shown
    begin = expect.at
    while (end := shown.find(text, begin)) < 0:
        ready = select.select([terminal], [], [], deadline - time.monotonic())[0] if time.monotonic() < deadline else []
        try:
            data = os.read(terminal, 4096) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        if not data:
            fail(f"expected {what}")
        shown += data.decode("utf-8", "replace")
    expect.at = end + len(text)
    return shown[begin:end]


expect.at = 0


def write(text):
    os.write(terminal, text.encode())


def interrupted_answer(message):
    """Says something, presses Ctrl-C when the answer is on its way, and returns what came of it."""
    write(message + "\n")
    expect(message + "\r\n", "the echo of the message")
    begin = expect.at
    expect(" ", "the beginning of an answer")
    time.sleep(0.2)
    write("\x03")
    expect("\r\n> ", "the prompt after an interrupted answer")
    return shown[begin:expect.at - len("\r\n> ")].replace("^C", "").replace("\r\n", "\n")


expect("> ", "a prompt")
first = interrupted_answer("Call me Ishmael.")
second = interrupted_answer("And who are you?")
write("\x03")
expect("(/quit or Ctrl-D ends)", "what ends the conversation")
expect("> ", "a prompt")
write(f"/save {folder}/saved.json\n")
expect("> ", "a prompt")
write("\x04")
_, status = os.waitpid(child, 0)
if os.waitstatus_to_exitcode(status) != 0:
    fail(f"expected status 0, found {os.waitstatus_to_exitcode(status)}")
messages = json.load(open(f"{folder}/saved.json"))["messages"]
found = [(message["role"], message["content"]) for message in messages]
roles = [role for role, _ in found]
if roles != ["user", "assistant", "user", "assistant"]:
    fail(f"expected four messages, found {roles}")
for (_, text), answer in zip(found[1::2], (first, second)):
    if not text.strip() or text.strip() != answer.strip():
        fail(f"expected the answer that was shown, {answer[-200:]!r}, found {text[-200:]!r}")
if not os.path.getsize(f"{folder}/saved.json.state"):
    fail("expected a saved state")
