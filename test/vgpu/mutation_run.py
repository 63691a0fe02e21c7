"""Changes every kernel that ships in small ways and tells which changes nothing notices.

    mutation_run.py --build BUILD --work FOLDER [--models REGEX] [--kernels REGEX] [--kinds sync,offset] [--minutes N]
                    [--table FILE] [--require sync=100]

Compiles the models below, records their launches in all programs (prompts longer than tiles and windows, single tokens,
batches), and runs each changed kernel on the launches of the unchanged one, all checks on, in two orders of warps
(samba-vgpu-replay). A change is killed by a finding, by other bits in device memory, or by taking far longer. Changes
that are no PTX, or that ptxas makes the same machine code of, are counted on their own.

What was found is kept in FOLDER: a run that was stopped goes on where it was, and one with other launches tries what has
survived again. Use an empty folder after changes to the virtual device.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import mutate_ptx

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))

# Warps, keys and slices for each thread, and tails of tiles; rings that blocks share, more states, tails of slices.
SHAPE = {"vocab_size": 250, "hidden_size": 256, "window_size": 80}
LONG = {"hidden_size": 80, "num_heads": 5, "num_kv_heads": 1, "window_size": 150, "state_size": 30}

# Name, what is changed in test/lowering/gpu/Inputs/counted, precision, architecture. All kernels are in one of them.
MODELS = [
    ("bf16", SHAPE, "bf16", 80),
    ("f32", SHAPE, "f32", 80),
    ("int8", SHAPE, "int8", 80),
    ("int4", SHAPE, "int4", 80),
    ("hopper", SHAPE, "bf16", 90),
    ("hopper-int8", SHAPE, "int8", 90),
    ("hopper-int4", SHAPE, "int4", 90),
    ("split", LONG, "bf16", 80),
    ("split-f32", LONG, "f32", 80),
    ("split-hopper", LONG, "bf16", 90),
]

Case = collections.namedtuple("Case", "model arch kernel number changed kind name code key")


PIECE = 25  # changes of a kernel that one process tries


def digest(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:24]


def kernels_of(text):
    """What precedes the kernels, and the text of each."""
    parts = re.split(r"(?m)^(?=\.visible \.entry )", text)
    parts[1:] = [re.sub(r"(?m)^\s*//.*$", "", part) for part in parts[1:]]
    return parts[0], {re.match(r"\.visible \.entry (\w+)", part)[1]: part for part in parts[1:]}


def plain(kernel, text):
    """The same for equal kernels of different modules."""
    return re.sub(r"\$L__BB\d+_", "$L__BB_", re.sub(rf"\b{kernel}(?=_param|_shared|_constants|\()", "kernel", text))


def record(model_path, recording, arch):
    """In a process of its own: runs the model in all its programs."""
    import samba

    settings = f"arch={arch},threads=1,counters=0,record={recording}"
    model = samba.Model(model_path, device=f"virtual:{settings}", check_device=True)

    def ids(count, start):
        return [(start + 31 * i + i * i * 7) % (model.vocab_size - 3) + 3 for i in range(count)]

    sessions = [model.session() for _ in range(16)]
    sessions[0].feed(ids(7, 2), "all")
    sessions[0].feed(ids(131, 5), "all")
    sessions[0].feed([9])
    model.evaluate(zip(sessions, ([4], [7], [13], [21], [34])))
    model.evaluate(zip(sessions[2:], (ids(2, 11), ids(40, 40), ids(1, 3), ids(19, 77))))
    sessions[0].feed([10])
    model.evaluate(zip(sessions, [[5 + 2 * i] for i in range(16)]))
    sessions[3].feed(ids(18, 60))
    sessions[3].feed([12])
    sessions[15].feed([14])


class Run:
    def __init__(self, arguments):
        self.arguments = arguments
        self.environment = dict(os.environ, PYTHONPATH=os.path.join(SOURCE, "bindings", "python"),
                                SAMBA_LIBRARY=os.path.join(arguments.build, "lib", "libsamba.so"),
                                PYTHONDONTWRITEBYTECODE="1")
        os.makedirs(arguments.work, exist_ok=True)
        self.fates, self.path = {}, os.path.join(arguments.work, "fates.jsonl")
        if os.path.exists(self.path):
            with open(self.path) as file:
                for line in filter(lambda line: line.endswith("\n"), file):
                    entry = json.loads(line)
                    self.fates[entry["key"]] = entry
        self.recorded, self.unchanged, self.lock = {}, {}, threading.Lock()
        self.ptxas = shutil.which("ptxas") or shutil.which("/usr/local/cuda/bin/ptxas")

    def tool(self, name, *words, nice=0):
        result = subprocess.run(["nice", "-n", str(nice), os.path.join(self.arguments.build, "bin", name), *words], capture_output=True, text=True)
        if result.returncode:
            sys.exit(f"mutation_run: {name} {' '.join(words)}: {result.stderr.strip() or result.returncode}")
        return result.stdout

    def prepare(self, model):
        """Compiles and records, unless that is done; the text of the kernels."""
        name, changes, precision, arch = model
        folder = os.path.join(self.arguments.work, name)
        os.makedirs(folder, exist_ok=True)
        compiler = os.path.join(self.arguments.build, "bin", "samba-compile")
        stamp = digest(model, os.path.getmtime(compiler), inspect.getsource(record))
        if not os.path.exists(f"{folder}/stamp") or open(f"{folder}/stamp").read() != stamp:
            self.make(folder, changes, precision, arch)
            with open(f"{folder}/stamp", "w") as file:
                file.write(stamp)
        with open(f"{folder}/launches", "rb") as file:
            self.recorded[name] = hashlib.sha256(file.read() + self.arguments.seeds.encode()).hexdigest()[:12]
        with open(f"{folder}/model.ptx") as file:
            text = file.read()
        return text[text.rindex(".version"):]  # of sm_90a, if that of all architectures is before it

    def make(self, folder, changes, precision, arch):
        with open(os.path.join(SOURCE, "test/lowering/gpu/Inputs/counted/config.json")) as file:
            shape = json.load(file)
        for key, value in changes.items():
            (shape["attn"] if key in shape["attn"] else shape)[key] = value
        with open(f"{folder}/config.json", "w") as file:
            json.dump(shape, file)
        path = f"{folder}/model"
        shutil.rmtree(path, ignore_errors=True)
        self.tool("samba-synthesize", f"--shape={folder}/config.json", "--dtype=bf16", "-o", path)
        target = "--target=cuda:sm_90a" if arch == 90 else "--target=cuda"
        words = [path, target, f"--precision={precision}", "--quiet"]
        self.tool("samba-compile", *words, "-o", f"{folder}/model.so")
        self.tool("samba-compile", *words, "--emit=ptx", "-o", f"{folder}/model.ptx")
        done = subprocess.run([sys.executable, __file__, "--record", f"{folder}/model.so", f"{folder}/launches", str(arch)],
                              env=self.environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"mutation_run: recording {folder}: {done.stderr.strip()}")

    def cases(self, model, text, kinds):
        header, kernels = kernels_of(text)
        for kernel, body in kernels.items():
            if not re.search(self.arguments.kernels, kernel):
                continue
            file = os.path.join(self.arguments.work, model[0], kernel + ".ptx")
            with open(file, "w") as output:
                output.write(header + body)
            same = digest(plain(kernel, body))
            first = header.count("\n")
            for mutant in mutate_ptx.mutants(header + body, kinds):
                changed = mutant.changed.replace("\n", " ")
                key = digest(same, mutant.line - first, plain(kernel, changed))
                yield Case(model[0], model[3], kernel, mutant.line, changed, mutant.kind, mutant.name, mutant.code, key)

    def open(self, case):
        """Whether a case is still to be tried: it was killed nowhere, and not tried with these launches."""
        entry = self.fates.get(case.key)
        return not entry or entry["fate"] == "survived" and self.recorded[case.model] not in entry["tried"]

    def keep(self, case, fate, by):
        with self.lock:
            entry = self.fates.get(case.key, {"tried": []})
            entry = {"key": case.key, "fate": fate, "by": by, "tried": entry["tried"] + [self.recorded[case.model]]}
            self.fates[case.key] = entry
            with open(self.path, "a") as file:
                file.write(json.dumps(entry) + "\n")

    def replay(self, piece):
        cases = [case for case in piece if self.open(case)]
        if not cases or time.time() > self.end:
            return
        folder = os.path.join(self.arguments.work, cases[0].model)
        mutants = os.path.join(folder, f"{cases[0].kernel}-{cases[0].key}.mutants")
        with open(mutants, "w") as file:
            file.writelines(f"{case.number}\t{case.changed}\n" for case in cases)
        output = self.tool("samba-vgpu-replay", f"{folder}/{cases[0].kernel}.ptx", f"{folder}/launches",
                           f"--mutants={mutants}", f"--arch={cases[0].arch}", f"--seeds={self.arguments.seeds}",
                           nice=self.arguments.nice)
        os.remove(mutants)
        for case, line in zip(cases, output.splitlines(), strict=True):
            fate, by = line.split("\t", 1)
            if fate == "survived" and self.ptxas:
                fate = self.same_code(case)
            self.keep(case, fate, by)

    def machine_code(self, arch, lines):
        """What ptxas makes of it; None if it refuses."""
        with tempfile.TemporaryDirectory(dir=self.arguments.work) as folder:
            with open(f"{folder}/k.ptx", "w") as file:
                file.write("\n".join(lines))
            words = [self.ptxas, f"-arch={'sm_90a' if arch == 90 else 'sm_80'}", "k.ptx", "-o", "k.cubin"]
            if subprocess.run(words, cwd=folder, capture_output=True).returncode:
                return None
            with open(f"{folder}/k.cubin", "rb") as file:
                return file.read()

    def same_code(self, case):
        """Whether ptxas makes the same of a change, or nothing: then no GPU can tell."""
        with open(os.path.join(self.arguments.work, case.model, case.kernel + ".ptx")) as file:
            lines = file.read().split("\n")
        if (case.model, case.kernel) not in self.unchanged:
            self.unchanged[case.model, case.kernel] = self.machine_code(case.arch, lines)
        lines[case.number - 1] = case.changed
        changed = self.machine_code(case.arch, lines)
        if changed is None:
            return "invalid"
        return "same code" if changed == self.unchanged[case.model, case.kernel] else "survived"

    def run(self, cases):
        """First what is about synchronisation, then some changes of each kernel, then more of them, addresses first: the
        changes of a kernel come by chance, so what was tried when a run is stopped is a sample."""
        groups, pieces = collections.defaultdict(dict), []
        for case in cases:
            order = 0 if case.kind in ("sync", "descriptor") else 1 if case.kind == "offset" else 3
            if self.open(case):
                groups[order, case.model, case.kernel][case.key] = case
        size = PIECE
        if self.arguments.limit:  # of all kernels and kinds some
            size = max(1, min(PIECE, self.arguments.limit // max(1, len(groups))))
        for (order, _, _), group in groups.items():
            group = [group[key] for key in sorted(group)]
            for at in range(0, len(group), size):
                pieces.append((order * (1 + at // size), len(pieces), group[at:at + size]))
        left = self.arguments.limit or len(cases)
        chosen = []
        for _, _, piece in sorted(pieces, key=lambda piece: piece[:2]):
            chosen.append(piece[:left])
            left -= len(chosen[-1])
        print(f"{sum(map(len, chosen))} changes to try, {len(cases)} in all", flush=True)
        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            for _ in pool.map(self.replay, filter(None, chosen)):
                pass


def family(kernel):
    return re.sub(r"_\d+$", "", kernel)


def report(run, cases):
    """The table: for each kernel, each kind of change and all of them how many there are of each fate."""
    unique = {case.key: case for case in reversed(cases)}
    counts = collections.defaultdict(collections.Counter)
    for key, case in unique.items():
        fate = run.fates[key]["fate"] if key in run.fates else "not tried"
        for group in (family(case.kernel), case.kind, "all"):
            counts[group][fate] += 1
        if fate == "survived":
            print(f"survived: {case.model}: {case.kernel}: line {case.number}: {case.kind}: {case.name}: {case.code} -> "
                  f"{case.changed.strip()}")
    fates = ["killed", "survived", "same code", "invalid", "not tried"]
    lines = ["| | killed | survived | same machine code | no PTX | not tried |", "| --- |" + " --- |" * len(fates)]
    for group in (*sorted({family(case.kernel) for case in cases}), *sorted({case.kind for case in cases}), "all"):
        lines.append(f"| {group} | " + " | ".join(str(counts[group][fate]) for fate in fates) + " |")
    return counts, "\n".join(lines)


def main():
    if sys.argv[1:2] == ["--record"]:
        return record(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="the build folder")
    parser.add_argument("--work", required=True, help="a folder for models, launches and what was found")
    parser.add_argument("--models", default="", metavar="REGEX", help="only these of " + ", ".join(m[0] for m in MODELS))
    parser.add_argument("--kernels", default="", metavar="REGEX", help="only kernels of these names")
    parser.add_argument("--kinds", default="", help="only these, with commas: sync, offset, descriptor, index, ...")
    parser.add_argument("--limit", type=int, default=0, help="try at most so many that are left")
    parser.add_argument("--minutes", type=float, default=1e6, help="try no more of them after so long")
    parser.add_argument("--seeds", default="1,0", help="orders of warps")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="of what takes long")
    parser.add_argument("--table", help="write the table of kernels and kinds")
    parser.add_argument("--require", action="append", default=[], metavar="NAME=PERCENT",
                        help="of a kernel, a kind or all; without those that are no PTX or the same machine code")
    arguments = parser.parse_args()
    run, cases = Run(arguments), []
    for model in MODELS:
        if re.search(arguments.models, model[0]):
            cases += run.cases(model, run.prepare(model), set(filter(None, arguments.kinds.split(","))))
    run.end = time.time() + 60 * arguments.minutes
    run.run(cases)
    counts, table = report(run, cases)
    print(table)
    if arguments.table:
        with open(arguments.table, "w") as file:
            file.write(table + "\n")
    for requirement in arguments.require:
        name, percent = requirement.split("=")
        killed, survived = counts[name]["killed"], counts[name]["survived"]
        if not killed or 100 * killed < float(percent) * (killed + survived):
            sys.exit(f"mutation_run: {name}: {killed} of {killed + survived} killed, expected {percent}%")


if __name__ == "__main__":
    main()
