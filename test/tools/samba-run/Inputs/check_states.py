"""check_states.py TRIALS MODEL...: interrupts random schedules of real models at random, and compares each row of logits
and each final state, bit by bit, with those of a run that has the same steps and no interruption. Then flips bits of a
saved state of each model, FLIPS of them at equal distances (all of them if there are not so many). Both are in the
environment: FLIPS (5000), and SEED, the number of the first trial."""

import os
import random
import sys
import tempfile

import samba


class Trial:
    def __init__(self, model, folder, seed):
        self.model, self.random, self.file = model, random.Random(seed), os.path.join(folder, "state")
        reach = model.max_rollback
        self.reach = 40 if reach is None else min(40, reach)
        self.tokens = [self.some_tokens(self.random.randint(1, 80)) for _ in range(self.random.randint(1, 5))]

    def some_tokens(self, count):
        return [self.random.randrange(self.model.vocab_size) for _ in range(count)]

    def interrupt(self, session):
        """A session that must be the same."""
        choice, spare = self.random.randrange(6), self.random.randint(1, self.reach)
        if choice == 0:
            blob = session.dumps()
            session.feed(self.some_tokens(spare), "none")
            return self.model.loads(blob)
        if choice == 1:
            session.save(self.file)
            return self.model.load(self.file)
        if choice == 2:
            child = session.fork()
            session.feed(self.some_tokens(spare), "none")
            return child
        if choice == 3:
            child = session.fork()
            child.feed(self.some_tokens(spare), "none")
            return session
        if choice == 4:
            other = self.model.session()
            other.copy_from(session)
            return other
        session.mark()
        for count in (spare // 2, spare - spare // 2):
            if count:
                session.feed(self.some_tokens(count), "none")
            if count and self.random.random() < 0.5:
                session.mark()
        session.rollback(spare)
        return session

    def run(self):
        plain = [self.model.session() for _ in self.tokens]
        interrupted = [self.model.session() for _ in self.tokens]
        while True:
            left = [s for s, tokens in enumerate(self.tokens) if plain[s].position < len(tokens)]
            if not left:
                break
            for _ in range(self.random.randrange(4)):
                s = self.random.randrange(len(self.tokens))
                interrupted[s] = self.interrupt(interrupted[s])
            chosen = self.random.sample(left, self.random.randint(1, len(left)))
            pieces = []
            for s in chosen:
                begin = plain[s].position
                pieces.append(self.tokens[s][begin : begin + self.random.randint(0, 40)])
            last = [self.random.randint(0, len(piece)) for piece in pieces]
            rows = [
                [bytes(row) for row in self.model.evaluate([(side[s], p) for s, p in zip(chosen, pieces)], last)]
                for side in (plain, interrupted)
            ]
            if rows[0] != rows[1]:
                return "other logits"
        if any(a.state() != b.state() or a.position != b.position for a, b in zip(plain, interrupted)):
            return "another state"
        return None


def flip_bits(model, most):
    """How many bits were flipped, of how many."""
    session = model.session()
    session.feed([i * 7 % model.vocab_size for i in range(200)], "none")
    blob = bytearray(session.dumps())
    bits = len(blob) * 8
    step = -(-bits // most) | 1  # odd, so that bits of all places in a byte have their turn
    for bit in range(0, bits, step):
        blob[bit // 8] ^= 1 << bit % 8
        try:
            model.loads(bytes(blob))
        except samba.Error:
            pass
        else:
            sys.exit(f"check_states: bit {bit} was flipped and not found")
        blob[bit // 8] ^= 1 << bit % 8
    return len(range(0, bits, step)), bits


trials, seed, flips = int(sys.argv[1]), int(os.environ.get("SEED", 1)), int(os.environ.get("FLIPS", 5000))
models = [samba.Model(path, threads=1, chunk=[16, 512, 5][i % 3]) for i, path in enumerate(sys.argv[2:])]
with tempfile.TemporaryDirectory() as folder:
    for number in range(seed, seed + trials):
        wrong = Trial(models[number % len(models)], folder, number).run()
        if wrong:
            sys.exit(f"check_states: SEED={number}: {wrong}")
print(f"{trials} trials")
for model in models:
    print("{}: {} of {} flipped bits found".format(model.name, *flip_bits(model, flips)))
