#!/usr/bin/env python3
"""Compares compiled models with what else runs them on this CPU; writes benchmarks/results/NAME-rivals.json and .md and
puts the tables into docs/performance.md.

    python3 -m venv VENV
    VENV/bin/pip install llama-cpp-python gguf transformers torch safetensors onnx onnxruntime openvino \\
        iree-base-compiler iree-base-runtime
    VENV/bin/python benchmarks/rivals.py NAME [--threads 1,2] [--rounds 5] [--keep DIR] [--shape 421M]

A rival that is not installed is left out, and the table says so; so is one that fails (--without leaves more out). All
are measured in turns: a round asks each of them once, in an order of its own; the tables have medians over the rounds.
What they compute is compared first.

Models: random weights in the layout of the family jamba, the closest that others know (see rivals/checkpoint.py). A fresh
sequence of 512 tokens, then 32 tokens one by one.
Products: a matrix of weights of that model by 512 rows and by one; ours as the kernel of the model, compiled without
fusion, by samba-bench --ops."""
import argparse
import importlib.metadata
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "rivals"))
import checkpoint  # noqa: E402
import measuring  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name")
parser.add_argument("--build", default=os.path.join(HERE, "..", "build"), help="build folder (default: build)")
parser.add_argument("--threads", default="1,2", help="numbers of threads, separated by commas (default 1,2)")
parser.add_argument("--rounds", type=int, default=5, help="of each test (default 5)")
parser.add_argument("--shape", default="421M", choices=checkpoint.SHAPES)
parser.add_argument("--prompt", type=int, default=512, help="tokens (default 512)")
parser.add_argument("--generate", type=int, default=32, help="tokens (default 32)")
parser.add_argument("--keep", help="a folder for the models, which stay there for the next run (default: temporary)")
parser.add_argument("--only", choices=["models", "products"])
parser.add_argument("--without", default="", help="engines and libraries to leave out, separated by commas")
arguments = parser.parse_args()
BIN = os.path.join(arguments.build, "bin")
THREADS = [int(count) for count in arguments.threads.split(",")]
PACKAGES = {"llama.cpp": "llama-cpp-python", "PyTorch": "torch", "transformers": "transformers",
            "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino", "IREE": "iree-base-compiler"}  # fmt: skip


def say(text):
    print(text, file=sys.stderr, flush=True)


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


class Worker:
    """A process that answers requests; engines.py and products.py are such."""

    def __init__(self, script, *words):
        environment = {**os.environ, "OMP_NUM_THREADS": str(words[-1])}
        environment["SAMBA_LIBRARY"] = os.path.join(arguments.build, "lib", "libsamba.so")
        environment["PYTHONPATH"] = os.path.join(HERE, "..", "bindings", "python")
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "rivals", script), *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=environment)  # fmt: skip
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.log.seek(0)
            raise RuntimeError((self.log.read().strip().splitlines() or ["no message"])[-1])
        return json.loads(line)

    def ask_all(self, *requests):
        return [self.ask(**request) for request in requests]

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reason is in its output
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Passing:
    """A worker that lives for a few requests only, because it takes gigabytes."""

    def __init__(self, *words):
        self.words = words

    def ask(self, **request):
        return self.ask_all(request)[0]

    def ask_all(self, *requests):
        worker = Worker(*self.words)
        answers = [worker.ask(**request) for request in requests]
        worker.close()
        return answers

    def close(self):
        pass


def make_models(folder):
    """[(engine, precision, file)], made as far as they are not there."""
    hf = os.path.join(folder, "jamba-" + arguments.shape)
    if not os.path.exists(os.path.join(hf, "config.json")):
        say("making the checkpoint")
        checkpoint.write_hugging_face(arguments.shape, hf)
    models = []
    for precision in "f32", "bf16", "int8", "int4":
        path = f"{hf}-{precision}.so"
        subprocess.run([os.path.join(BIN, "samba-compile"), hf, "--precision=" + precision, "--quiet", "-o", path], check=True)
        models.append(("samba-mlir", precision, path))
    if version("llama-cpp-python"):
        import engines

        source = hf + ".gguf"
        if not os.path.exists(source):
            say("making GGUF files")
            checkpoint.write_gguf(arguments.shape, source)
        models.append(("llama.cpp", "f32", source))
        for precision, kind in ("bf16", "BF16"), ("int8", "Q8_0"), ("int4", "Q4_0"):
            path = f"{hf}-{kind}.gguf"
            if not os.path.exists(path):
                engines.quantize(source, path, kind)
            models.append(("llama.cpp", precision, path))
    if version("torch") and version("transformers") and "transformers" not in arguments.without.split(","):
        models += [("transformers", precision, hf) for precision in ("f32", "bf16")]
    for precision in "f32", "bf16":
        subprocess.run([os.path.join(BIN, "samba-compile"), hf, "--precision=" + precision, "--fusion=none", "--quiet", "-o",
                        os.path.join(folder, f"plain-{precision}.so")], check=True)  # fmt: skip
    return models


def compare_models(models):
    rows, reference = [], None
    for threads in THREADS:
        workers = []
        for engine, precision, path in models:
            name = engine + " " + precision if engine == "transformers" else engine
            try:
                worker = (Passing if engine == "transformers" else Worker)("engines.py", name, path, threads)
                logits = worker.ask(logits=[5, 77, 400, 12, 9, 600, 31, 3])
            except RuntimeError as error:
                say(f"{engine} {precision}: left out: {error}")
                continue
            reference = reference or logits
            error = sum((a - b) ** 2 for a, b in zip(logits, reference)) / sum(b * b for b in reference)
            workers.append((worker, dict(engine=engine, precision=precision, threads=threads, logit_error=error**0.5,
                                         prompt=[], generate=[])))  # fmt: skip
        for turn in range(arguments.rounds + 1):
            say(f"models, {threads} threads: round {turn} of {arguments.rounds}")
            for worker, row in random.sample(workers, len(workers)):
                # The implementation of transformers scans token by token: once is enough for it.
                if turn > 1 and statistics.median(row["prompt"]) > 20:
                    continue
                try:
                    seconds = worker.ask_all(dict(prompt=arguments.prompt), dict(generate=arguments.generate))
                except RuntimeError as error:
                    say(f"{row['engine']} {row['precision']}: left out: {error}")
                    workers.remove((worker, row))
                    continue
                if turn:
                    row["prompt"].append(seconds[0])
                    row["generate"].append(seconds[1])
        for worker, row in workers:
            worker.close()
            for test, count in ("prompt", arguments.prompt), ("generate", arguments.generate):
                row[test + "_tokens_per_s"] = count / statistics.median(row[test])
            rows.append(row)
    return rows


def our_products(folder, threads, found, dtype):
    """Adds the seconds of our kernels, by rows, inner and columns."""
    path = os.path.join(folder, f"plain-{dtype}.so")
    out = subprocess.run([os.path.join(BIN, "samba-bench"), path, "--ops", "-p", str(arguments.prompt), "-t", str(threads),
                          "-r", "3", "--json"], check=True, stdout=subprocess.PIPE).stdout  # fmt: skip
    for profile in json.loads(out)["profiles"]:
        for kernel in profile["kernels"]:
            for key, name in PRODUCTS.items():
                if kernel["kernel"].endswith(name):
                    seconds = kernel["seconds"] / kernel["launches"]
                    found.setdefault((profile["tokens"], *key, dtype), []).append(seconds)


# Inner size and columns of a product, by the name that its kernel ends with.
SIZES = checkpoint.SHAPES[arguments.shape]
PRODUCTS = {
    (SIZES["hidden"], SIZES["mlp"]): "mlp.up_proj",
    (SIZES["mlp"], SIZES["hidden"]): "mlp.down_proj",
    (SIZES["hidden"], 4 * SIZES["hidden"]): "mamba.in_proj",
}


def compare_products(folder):
    rows = []
    libraries = [name for name in ("PyTorch", "PyTorch compiled", "ONNX Runtime", "OpenVINO", "IREE")
                 if version(PACKAGES[name.removesuffix(" compiled")]) and name not in arguments.without.split(",")]  # fmt: skip
    for threads in THREADS:
        ours, times, workers = {}, {}, {}
        for library in libraries:
            try:
                workers[library] = Worker("products.py", library, threads)
            except RuntimeError as error:
                say(f"{library}: left out: {error}")
        requests = [dict(rows=tokens, inner=inner, columns=columns, dtype=dtype) for dtype in ("f32", "bf16")
                    for tokens in (arguments.prompt, 1) for inner, columns in PRODUCTS]  # fmt: skip
        for turn in range(arguments.rounds):
            say(f"products, {threads} threads: round {turn + 1} of {arguments.rounds}")
            for dtype in "f32", "bf16":
                our_products(folder, threads, ours, dtype)
            for library in random.sample(list(workers), len(workers)):
                for request in requests:
                    key = (library, *request.values())
                    try:
                        if times.get(key, 0) is not None:
                            seconds = workers[library].ask(**request)
                            times[key] = None if seconds is None else times.get(key, []) + [seconds]
                    except RuntimeError as error:
                        say(f"{library}, {request}: left out: {error}")
                        times[key] = None
                        workers[library] = Worker("products.py", library, threads)
        for worker in workers.values():
            worker.close()
        for request in requests:
            row = dict(request, threads=threads, seconds={"samba-mlir": statistics.median(ours[tuple(request.values())])})
            for library in workers:
                values = times[(library, *request.values())]
                row["seconds"][library] = values and statistics.median(values)
            rows.append(row)
    return rows


def table(header, rows):
    lines = [header, ["-" * len(cell) for cell in header], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def markdown(result):
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    missing = [name for name, number in result["versions"].items() if not number]
    text = [f"{result['cpu']}; {versions}" + (f"; not installed: {', '.join(missing)}" if missing else "")]
    if result["models"]:
        best, rows = {}, []
        for row in result["models"]:
            if row["engine"] == "samba-mlir":
                best[row["precision"], row["threads"]] = row
        for row in sorted(result["models"], key=lambda row: (row["threads"], row["precision"])):
            own = best[row["precision"], row["threads"]]
            cells = [row["precision"], str(row["threads"]), row["engine"]]
            for test in "prompt_tokens_per_s", "generate_tokens_per_s":
                cells += [f"{row[test]:.3g}", "" if row is own else f"{own[test] / row[test]:.2f}"]
            rows.append(cells + [f"{row['logit_error']:.1e}"])
        text.append(table(["weights", "threads", "engine", f"prompt {result['prompt']}, tokens/s", "ours / it",
                           f"generate {result['generate']}, tokens/s", "ours / it", "logits differ by"], rows))  # fmt: skip
    if result["products"]:
        libraries = list(result["products"][0]["seconds"])
        rows = []
        for row in result["products"]:
            own = row["seconds"]["samba-mlir"]
            cells = [row["dtype"], str(row["threads"]), f"{row['rows']} x {row['inner']} x {row['columns']}", f"{own * 1e6:.0f}"]
            for library in libraries[1:]:
                seconds = row["seconds"].get(library)
                cells.append(f"{seconds * 1e6:.0f} ({seconds / own:.2f})" if seconds else "-")
            rows.append(cells)
        text.append("Microseconds of one product, and in brackets how many times ours.")
        text.append(table(["weights", "threads", "rows x inner x columns", *libraries], rows))
    return "\n\n".join(text) + "\n"


def main():
    with measuring.models_folder(arguments.keep) as folder:
        result = dict(cpu=f"{measuring.cpu()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f}",
                      shape=arguments.shape, versions={name: version(package) for name, package in PACKAGES.items()},
                      prompt=arguments.prompt, generate=arguments.generate, models=[], products=[])  # fmt: skip
        models = make_models(folder)
        if arguments.only != "products":
            result["models"] = compare_models(models)
        if arguments.only != "models":
            result["products"] = compare_products(folder)
        measuring.store(arguments.name, "rivals", result, md=markdown(result))


if __name__ == "__main__":
    main()
