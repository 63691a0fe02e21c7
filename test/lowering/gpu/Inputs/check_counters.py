"""Compares what the kernels of a model do on the virtual device with the least that they have to do.

Takes the step of a prompt, a step of one token after it, one of which the next token is wanted in place of logits, and,
with --sequences, steps of one token for each of so many sequences. Of each kernel:
  - sectors moved for global loads and for stores: at least 90% of them are needed by what the lanes ask for;
  - wavefronts of shared memory: at most 1.05 times the fewest possible;
  - bytes of DRAM, read and written: at most 1.1 times the least, by the table, and no less than it;
  - exponentials: as many as the table says;
  - products and attention of the prompt use tensor cores unless they are f32 or cross-attention, through ldmatrix where
    weights are bf16; so do products of several sequences with the large weights, without ldmatrix;
and of each block in a step of one token: at most 6 launches.

In the table T is the tokens of the step, of which one is wanted, or 1 where a launch is for the wanted ones alone; S the
tokens of earlier steps and A all so far, B the sequences, of each of which the last token is wanted. D, E, I, V are the
widths of the model, its mixers, its MLPs and its vocabulary, N the states, R the rank of time steps, C the taps, H and K
the query and key heads of P lanes, W the window; w is the bytes of a weight, r of what is rounded before a product, n of
what a norm before a product has made, or of what it will read, M 1 where the norm is part of the product and 0 where it is
not, Q(n, k) the bytes of the weight of a product with n outputs and k inputs. Beside that a kernel may read 32 bytes for
each of its arguments that says sizes or places. A row with the number of a layer goes before one without.

    check_counters.py TABLE CONFIG MODEL.so MODEL.gpu f32|bf16|int8|int4
"""
import argparse
import collections
import json
import re
import sys

import samba

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
for name in ("table", "config", "model", "gpu", "precision"):
    parser.add_argument(name)
parser.add_argument("--sequences", default="", help="of steps of generation for several, with commas")
parser.add_argument("--verbose", action="store_true")
arguments = parser.parse_args()

with open(arguments.config) as file:
    config = json.load(file)
if config["model_type"] == "phi4flash":
    keys = {"E": "mamba_expand", "N": "mamba_d_state", "R": "mamba_dt_rank", "C": "mamba_d_conv",
            "H": "num_attention_heads", "K": "num_key_value_heads", "W": "sliding_window"}
    sizes = {letter: config[key] for letter, key in keys.items()}
else:
    keys = {"E": "expand", "N": "state_size", "R": "time_step_rank", "C": "conv_kernel"}
    attention_keys = {"H": "num_heads", "K": "num_kv_heads", "W": "window_size"}
    sizes = {letter: config[key] for letter, key in keys.items()}
    sizes |= {letter: config["attn"][key] for letter, key in attention_keys.items()}
sizes |= {"D": config["hidden_size"], "V": config["vocab_size"], "E": sizes["E"] * config["hidden_size"],
          "P": config["hidden_size"] // sizes["H"], "w": 4 if arguments.precision == "f32" else 2,
          "r": 4 if arguments.precision == "f32" else 2}


def matrix_bytes(outputs, inputs):
    """Of one that is quantised if any is: blocks of 8 outputs and 64 inputs, with 8 scales of 4 bytes."""
    bits = {"int8": 8, "int4": 4}.get(arguments.precision)
    return -(-outputs // 8) * -(-inputs // 64) * (32 + 64 * bits) if bits else outputs * inputs * sizes["w"]


sizes["Q"] = matrix_bytes
PLACES = 5 * 32  # sizes, segments, positions, rows, addresses of states

rows = collections.defaultdict(dict)
with open(arguments.table) as file:
    for line in file:
        if line.strip() and not line.startswith("#"):
            launch, kernels, *formulas = (word.strip() for word in line.split("|"))
            for kernel in kernels.split(","):
                rows[launch][kernel] = formulas

# Launches of each program: kernel, name, whether it is for steps of which a token is wanted in place of logits, and
# whether it is for wanted tokens alone.
with open(arguments.gpu) as file:
    text = file.read()
programs, begin = {}, text.index("samba.programs = [")
for match in re.finditer(r'max_tokens = (\d+) : i64, name = "(\w+)"', text):
    launches = re.findall(r'(chooses = true, )?grid = \[([^]]*)\], kernel = "(\w+)", name = "([^"]+)"',
                          text[begin:match.start()])
    programs[match.group(2)] = [(kernel, name, bool(chooses), '"rows"' in grid)
                                for chooses, grid, kernel, name in launches]
    begin = match.end()

model = samba.Model(arguments.model, device="virtual")
sizes["I"] = model.manifest["model"]["mlp_size"]
complaints = []


def step(feed, tokens):
    """What each kernel did in a step."""
    def flat(counters, prefix=""):
        for key, value in counters.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value
    def counted():
        return {kernel: dict(flat(counters)) for kernel, counters in model.device_counters().items()}
    before = counted()
    feed(tokens)
    after = counted()
    change = {kernel: {key: value - before.get(kernel, {}).get(key, 0) for key, value in counters.items()}
              for kernel, counters in after.items()}
    return {kernel: counters for kernel, counters in change.items() if counters["launches"]}


def formulas_of(name, kind):
    """Of a launch: the row of its layer, or that of all layers."""
    for key in (name, re.sub(r"^layers\.\d+\.", "", name)):
        if kind in rows[key]:
            return rows[key][kind]
    return None


def check(program, tokens, earlier, counters, chooses=False):
    def complain(kernel, what, found, expected):
        complaints.append(f"{program}, {arguments.precision}: '{kernel}': {what}: found {found}, expected {expected}")

    sequences = tokens if program == "decode" else 1
    launches, normed = collections.defaultdict(list), set()
    for kernel, name, choice, selected in programs[program]:
        if not choice or chooses:
            launches[kernel].append((name, sequences if selected else tokens))
        if kernel.startswith("rms_norm"):
            normed.add(name)
    if set(launches) != set(counters):
        complain("all", "kernels", sorted(counters), sorted(launches))
        return
    for kernel, named in launches.items():
        names = [name for name, _ in named]
        c, kind = counters[kernel], re.sub(r"_\d+$", "", kernel)
        if c["launches"] != len(names):
            complain(kernel, "launches", c["launches"], len(names))
        least = [0, 0, 0]
        for name, count in named:
            formulas = formulas_of(name, kind)
            if not formulas:
                complain(kernel, "rows of the table", f"none for '{name}'", "one")
                return
            letters = {**sizes, "T": count, "S": earlier, "A": earlier + tokens, "B": sequences,
                       "M": 0 if name in normed else 1, "n": sizes["r"] if name in normed else 4}
            values = [None if f == "-" else eval(f, {}, letters) for f in formulas]
            least = [None if a is None or b is None else a + b for a, b in zip(least, values)]
        ratios = []
        for space, unit in (("global_loads", "sectors"), ("global_stores", "sectors"), ("shared_loads", "wavefronts"),
                            ("shared_stores", "wavefronts")):
            ideal, moved = c[f"{space}.ideal"], c[f"{space}.{unit}"]
            ratios.append(ideal / moved if moved else 1)
            bound = 0.9 if unit == "sectors" else 1 / 1.05
            if ratios[-1] < bound:
                complain(kernel, f"{space}: ideal {unit}, of those moved", f"{ratios[-1]:.3f}", f"at least {bound:.3f}")
        for what, minimum, places in (("read", least[0], PLACES * len(names)), ("written", least[1], 0)):
            found = c[f"unique_bytes_{what}"]
            ratios.append((found - places) / minimum)
            if not minimum * 0.999 <= found <= 1.1 * minimum + places:
                complain(kernel, f"bytes {what}", found, f"{minimum:.0f} to {1.1 * minimum + places:.0f}")
        if least[2] is not None and c["ex2"] != least[2]:
            complain(kernel, "exponentials", c["ex2"], least[2])
        if program == "prefill" and arguments.precision != "f32" and re.match(r"linear|attention(?!_cross)", kind):
            # Words of four integers want the same four of x, which ldmatrix would not give.
            for what in ("mma",) if kind == "linear_quant" else ("mma", "ldmatrix"):
                if not c[what]:
                    complain(kernel, what, 0, "some")
        if kind == "linear_few" and not c["mma"]:
            complain(kernel, "mma", 0, "some")
        if arguments.verbose:
            print(f"{program:8} {kernel:24} " + " ".join(f"{ratio:6.3f}" for ratio in ratios) +
                  f" ex2 {c['ex2']:8} mma {c['mma']:6} ldmatrix {c['ldmatrix']:6} {' '.join(names)}")


prompt = 2 * sizes["W"]
session = model.session()
check("prefill", prompt, 0, step(session.feed, list(range(3, 3 + prompt))))
check("decode1", 1, prompt, step(session.feed, [200]))
check("decode1", 1, prompt + 1, step(session.feed_greedy, [201]), chooses=True)
for sequences in map(int, filter(None, arguments.sequences.split(","))):
    sessions, text = [session.fork() for _ in range(sequences)], [[3 + k] for k in range(sequences)]
    check("decode", sequences, prompt + 2, step(lambda text: model.evaluate(zip(sessions, text)), text))
    check("decode", sequences, prompt + 3, step(lambda text: model.evaluate_greedy(zip(sessions, text)), text), chooses=True)
blocks = collections.Counter(re.match(r"layers\.\d+", name).group() for _, name, *_ in programs["decode1"]
                             if name.startswith("layers."))
for block, count in blocks.items():
    if count > 6:
        complaints.append(f"decode1: '{block}': {count} launches, expected at most 6")
for complaint in complaints:
    print(complaint)
print(f"{arguments.precision}: {', '.join(f'{count} launches in {block}' for block, count in blocks.items())}")
sys.exit(1 if complaints else 0)
