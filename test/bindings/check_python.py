"""Checks the Python binding on compiled models: check_python.py FOLDER TEXT_MODEL MODEL..."""

import json
import os
import subprocess
import sys

import samba

folder, text_model, paths = sys.argv[1], sys.argv[2], sys.argv[2:]


def expect(condition, what):
    if not condition:
        sys.exit(f"check_python: {what}")


def ids_of(model, count, seed=1):
    return [3 + (seed * 7919 + i * 104729) % (model.vocab_size - 3) for i in range(count)]


def expect_error(status, call):
    try:
        call()
    except samba.Error as error:
        expect(error.status == status and str(error), f"{status}: got {error.status}: {error}")
    else:
        sys.exit(f"check_python: no {status}")


def argmax(row):
    return max(range(len(row)), key=row.__getitem__)


# Text: the same as the program.
model = samba.Model(text_model)
text = "".join(model.generate("Call me Ishmael.", n=40))
out = subprocess.run(
    ["samba-run", text_model, "--prompt", "Call me Ishmael.", "-n", "40"], capture_output=True, text=True, check=True
)
expect(text == out.stdout, f"{text!r} is not {out.stdout!r}")
expect(model.detokenize(model.tokenize("a whale")) == "a whale", "detokenize(tokenize())")
template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}"
said = [{"role": "user", "content": "Caf\u00e9?" * 1000}]
chat = model.render_chat(said, template, eos_token="</s>")
expect(chat == "[user] " + said[0]["content"] + "</s>", f"render_chat: {chat[-20:]!r}")
expect(model.tokenize(chat, special="parse")[-1] == model.eos, "a special token in a rendered conversation")
expect(model.is_end_token(model.eos) and not model.is_end_token(5), "is_end_token")
expect(model.chat_template is None, "samba-tiny has no chat template")
expect_error("TEMPLATE", lambda: model.render_chat(said))
expect_error("TEMPLATE", lambda: model.render_chat(said, "{% if %}"))
expect(samba.Sampler(temperature=1, seed=3).sample([0.0, 100.0]) == 1, "sample a list")
sampler = samba.Sampler(temperature=1, seed=3, presence_penalty=1)
sampler.accept(1)
session = model.session()
session.attachment = sampler.dumps()
other = samba.Sampler(temperature=1, seed=4, presence_penalty=1)
other.restore(model.loads(session.dumps()).attachment)
expect(other.dumps() == sampler.dumps() != samba.Sampler(seed=3).dumps(), "attachment and saved sampler")
other.reseed(5)
expect(other.dumps() != sampler.dumps(), "reseed")
expect_error("FORMAT", lambda: other.restore(b"x"))
expect_error("IO", lambda: samba.Model(folder + "/missing.so"))
expect_error("DEVICE", lambda: samba.Model(text_model, device="virtual"))
expect_error("ARGUMENT", lambda: samba.Model(text_model, device="gpu"))
expect_error("DEVICE", lambda: samba.Model(text_model, device="cpu").device_counters())
expect(samba.Model(text_model).device == "cpu", "the device")
expect_error("ARGUMENT", lambda: samba.Sampler(temperature=-1))

for path in paths:
    model = samba.Model(path)
    session = model.session()
    window = model.max_rollback or 64
    # Rollback restores every bit, across the end of the ring, with steps of several sizes.
    session.feed(ids_of(model, window - 3 if model.max_context is None else 100), "none")
    for steps in ([1], [2, 1, 3], [min(8, window)], [1] * min(7, window)):
        before, position = session.state(), session.position
        session.mark()
        for step in steps:
            session.feed(ids_of(model, step, seed=step), "none")
        expect(session.state() != before, "the state did not change")
        session.rollback(sum(steps))
        expect(session.position == position and session.state() == before, f"{path}: rollback over {steps}")
    session.forget_marks()
    expect_error("ARGUMENT", lambda: session.rollback(0))

    # Saved, loaded, forked: the same state, and the same logits after it.
    data = session.dumps()
    session.save(folder + "/state")
    expect(data == open(folder + "/state", "rb").read(), "dumps() is the file")
    others = [model.load(folder + "/state"), model.loads(data), session.fork(), model.session()]
    others[3].copy_from(session)
    next_ids = ids_of(model, 5, seed=9)
    expected = [bytes(row) for row in session.feed(next_ids, "all")]
    for other in others:
        expect([bytes(row) for row in other.feed(next_ids, "all")] == expected, f"{path}: continued")
    expect_error("FORMAT", lambda: model.loads(data[:-1] + bytes([data[-1] ^ 1])))

    # Scheduled with others: the same but for rounding. The bound is ten times what was measured.
    lengths = [1, 70, 3, 18, 1]
    alone = []
    for i, length in enumerate(lengths):
        (row,) = model.session().feed(ids_of(model, length, seed=i))
        alone.append(row)
    scheduler = samba.Scheduler(model, budget=16)
    sessions = [model.session() for _ in lengths]
    for i, length in enumerate(lengths):
        scheduler.feed(sessions[i], ids_of(model, length, seed=i))
    left, largest = set(range(len(lengths))), 0
    while left:
        for session, row in scheduler.step():
            i = sessions.index(session)
            left.remove(i)
            scale = max(map(abs, alone[i]))
            largest = max(largest, max(abs(a - b) for a, b in zip(row, alone[i])) / scale)
    expect(largest < 2e-5, f"{path}: scheduled logits differ by {largest:.2g} of the largest one")
    print(f"{os.path.basename(path)}: scheduled logits differ by {largest:.2g} of the largest one")

    # Tokens in place of logits.
    for i, length in enumerate(lengths):
        scheduler.feed(sessions[i], ids_of(model, length, seed=i + 7))
    copies, left = [session.fork() for session in sessions], set(range(len(lengths)))
    rows = model.evaluate((copy, ids_of(model, length, seed=i + 7)) for i, (copy, length) in enumerate(zip(copies, lengths)))
    while left:
        for session, token in scheduler.step_greedy():
            i = sessions.index(session)
            left.remove(i)
            expect(max(rows[i]) - rows[i][token] < 1e-4 * max(map(abs, rows[i])), f"{path}: scheduled choice")
    expect(model.session().feed_greedy(ids_of(model, 1, seed=0)) == argmax(alone[0]), f"{path}: greedy choice")
    chosen = model.evaluate_greedy([(copies[1], [5, 6, 7]), (copies[2], [8])], [2, 1])
    others = model.evaluate([(copies[3].fork(), [1])], "none")
    expect(len(chosen) == 3 and not others, f"{path}: rows of greedy choices")

first, second = samba.Model(paths[0]), samba.Model(paths[1])
expect_error("MISMATCH", lambda: second.loads(first.session().dumps()))

try:
    import numpy
except ImportError:
    print("no numpy")
else:
    (row,) = first.session().feed([1])
    values = numpy.asarray(row)
    expect(values.shape == (first.vocab_size,) and values.dtype == numpy.float32, "numpy view")
    expect(int(values.argmax()) == argmax(row) == samba.Sampler().sample(values), "numpy values")
print("done")
