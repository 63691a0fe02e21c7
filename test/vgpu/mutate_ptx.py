"""Changes PTX in small ways and tells which changes a check notices.

    mutate_ptx.py KERNELS.ptx --run 'COMMAND {}' [--kinds sync,offset] [--kernels REGEX] [--limit N] [--seed S]
                 [--json FILE] [--require sync=100]

COMMAND is run once with the unchanged file, where it must succeed, and once for each mutant, in place of {}. A command
that runs a model with --device=virtual:ptx={} tests the kernels of the model. With --limit so many mutants are taken,
by chance, the same ones for the same seed, and all of a kind that has no more than its share. A mutant is killed if the
command fails or runs out of time. --require takes a kind, a kernel or "all".
"""

import argparse
import collections
import concurrent.futures
import json
import random
import re
import shlex
import subprocess
import sys
import tempfile


def replace(pattern, by):
    """A mutation: every match of the pattern in a line, one at a time, replaced by a string or a function's strings."""

    def mutate(line):
        for match in re.finditer(pattern, line):
            results = by(match) if callable(by) else [match.expand(by)]
            for result in results:
                changed = line[: match.start()] + result + line[match.end() :]
                if changed != line:
                    yield changed

    return mutate


def drop(pattern):
    def mutate(line):
        if re.search(pattern, line):
            yield re.sub(r"(@!?%\w+\s+)?" + pattern + r"[^;]*;", "", line)

    return mutate


def shifted(match):
    """[%rd1+16] and [%rd1]: off by 4 bytes and by 16, in both directions."""
    base, offset = match.group(1), int(match.group(2) or 0)
    return [f"[{base}+{offset + by}]" for by in (4, -4, 16, -16)]


def swapped(match):
    registers = [word.strip() for word in match.group(1).split(",")]
    if len(registers) < 2:
        return []
    return ["{" + ", ".join([registers[1], registers[0]] + registers[2:]) + "}"]


COMPARISONS = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt", "eq": "ne", "ne": "eq", "ltu": "leu", "geu": "gtu"}

MUTATIONS = [
    ("sync", "barrier dropped", drop(r"\b(bar|barrier)(\.cta|\.warp)?\.sync")),
    ("sync", "wait for copies dropped", drop(r"\bcp\.async\.(wait_group|wait_all|bulk\.wait_group)")),
    ("sync", "wait for copies weakened", replace(r"(cp\.async\.wait_group\s+)(\d+)", lambda m: [m[1] + str(int(m[2]) + 1)])),
    ("sync", "commit dropped", drop(r"\bcp\.async\.commit_group")),
    ("sync", "mbarrier arrival dropped", drop(r"\bmbarrier\.arrive")),
    ("sync", "mbarrier wait dropped", replace(r"mbarrier\.try_wait\.parity\S*\s+(\w+),[^;]*;", r"setp.eq.u32 \1, 0, 0;")),
    ("sync", "mbarrier parity inverted", replace(r"(mbarrier\.try_wait\.parity[^;]*\],\s*)(%\w+)([^;]*;)", r"{ .reg .b32 other; xor.b32 other, \2, 1; \1other\3 }")),
    ("sync", "mbarrier parity flipped", replace(r"(try_wait\.parity[^;]*\],\s*)(\d+)", lambda m: [m[1] + str(int(m[2]) ^ 1)])),
    ("sync", "fence dropped", drop(r"\b(wgmma\.fence|membar|fence)\b")),
    ("sync", "wgmma commit dropped", drop(r"\bwgmma\.commit_group")),
    ("sync", "wgmma wait weakened", replace(r"(wgmma\.wait_group\S*\s+)(\d+)", lambda m: [m[1] + str(int(m[2]) + 1)])),
    ("sync", "wgmma wait dropped", drop(r"\bwgmma\.wait_group")),
    ("offset", "address moved", replace(r"\[(%\w+)(?:\+(-?\d+))?\]", shifted)),
    ("descriptor", "descriptor changed", replace(r"(\b(or|add)\.[bs]64\s+[^;]*,\s*)(\d+)(?=;)", lambda m: [m[1] + str(int(m[3]) + by) for by in ((2, 1 << 32) if m[2] == "or" else (2,))])),
    ("descriptor", "permutation dropped", replace(r"(\bor\.b64\s+[^;]*,\s*)(461168\d+)(?=;)", lambda m: [m[1] + str(int(m[2]) & ~(1 << 62))])),
    ("descriptor", "bytes expected", replace(r"(mbarrier\.arrive\.expect_tx[^;]*,\s*)(%?\w+)(?=;)", lambda m: [m[1] + "16", m[1] + "0"])),
    ("descriptor", "coordinates exchanged", replace(r"(cp\.async\.bulk\.tensor[^;]*\{)(%?\w+), (%?\w+)(?=\})", r"\1\3, \2")),
    ("predicate", "guard flipped", replace(r"@(!?)(%p\w+)", lambda m: ["@" + ("" if m[1] else "!") + m[2]])),
    ("predicate", "comparison changed", replace(r"\bsetp\.(\w+)", lambda m: ["setp." + COMPARISONS[m[1]]] if m[1] in COMPARISONS else [])),
    ("predicate", "select swapped", replace(r"(selp\.\w+\s+%\w+,\s*)([^,]+),\s*([^,]+),", r"\1\3, \2,")),
    ("matrix", "ldmatrix transposed", replace(r"(ldmatrix\S*?x\d)(\.trans)?", lambda m: [m[1] + ("" if m[2] else ".trans")])),
    ("matrix", "registers swapped", lambda line: replace(r"\{([^{}]*)\}", swapped)(line) if re.search(r"\b(ldmatrix|mma|v[24])\b", line) else iter(())),
    ("arithmetic", "add becomes sub", replace(r"\badd\.((?:rn\.)?(?:ftz\.)?[sfu]\d+)", r"sub.\1")),
    ("arithmetic", "mul becomes add", replace(r"\bmul\.((?:rn\.)?(?:ftz\.)?f\d+)", r"add.\1")),
    ("arithmetic", "factor of fma dropped", replace(r"\bfma\.rn\.(ftz\.)?f32(\s+%\w+,\s*)([^,]+),\s*([^,]+),\s*([^;]+)", r"add.\1f32\2\3, \5")),
    ("arithmetic", "min and max exchanged", replace(r"\b(min|max)\.", lambda m: ["min." if m[1] == "max" else "max."])),
    ("arithmetic", "exponential becomes logarithm", replace(r"\bex2\.approx(\.ftz)?\.f32", r"lg2.approx\1.f32")),
    ("arithmetic", "argument of exponential halved", replace(r"\b(ex2\.approx(?:\.ftz)?\.f32)\s+(%\w+),\s*(%\w+);", r"mul.f32 \2, \3, 0f3F000000; \1 \2, \2;")),
    ("index", "constant off by one", replace(r"\b((?:add|mad|shl|shr|and|or|mul)\.\S+\s[^;]*?,\s*)(-?\d+)(?=\s*[,;])", lambda m: [m[1] + str(int(m[2]) + 1)])),
    ("warp", "shuffle distance changed", replace(r"(shfl\.sync\.\w+\.b32\s+[^,]+,\s*[^,]+,\s*)(\d+)", lambda m: [m[1] + str(int(m[2]) ^ 1)])),
    ("warp", "shuffle mode changed", replace(r"shfl\.sync\.(bfly|up|down)", lambda m: ["shfl.sync." + {"bfly": "up", "up": "down", "down": "up"}[m[1]]])),
    ("store", "store dropped", drop(r"\bst\.(global|shared)")),
]


Mutant = collections.namedtuple("Mutant", "kernel kind name line code changed")


def apply(text, mutant):
    lines = text.split("\n")
    lines[mutant.line - 1] = mutant.changed
    return "\n".join(lines)


def sample(chosen, limit, seed):
    """`limit` of them: kinds with few mutants keep all, the others share what is left."""
    by_kind = collections.defaultdict(list)
    for mutant in chosen:
        by_kind[mutant.kind].append(mutant)
    generator, result, left = random.Random(seed), [], limit
    for position, kind in enumerate(sorted(by_kind, key=lambda kind: len(by_kind[kind]))):
        taken = min(len(by_kind[kind]), left // (len(by_kind) - position))
        result += generator.sample(by_kind[kind], taken)
        left -= taken
    return sorted(result, key=lambda mutant: mutant.line)


def mutants(text, kinds):
    lines = text.split("\n")
    depth, kernel = 0, ""
    for number, line in enumerate(lines):
        code = line.split("//")[0]
        if not depth and (match := re.search(r"\.(?:entry|func)\b.*?(\w+)\s*\(", code)):
            kernel = match.group(1)
        if depth:
            for kind, name, mutate in MUTATIONS:
                if not kinds or kind in kinds:
                    for changed in mutate(code):
                        yield Mutant(kernel, kind, name, number + 1, code.strip(), changed)
        depth += code.count("{") - code.count("}")


def survives(command, text, timeout):
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(text)
        file.flush()
        words = [word.replace("{}", file.name) for word in shlex.split(command)]
        try:
            result = subprocess.run(words, timeout=timeout, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return False, "out of time"
        lines = result.stderr.strip().split("\n")
        return result.returncode == 0, lines[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptx")
    parser.add_argument("--run", required=True, metavar="COMMAND")
    parser.add_argument("--kinds", default="", help="only these, with commas: sync, offset, predicate, matrix, ...")
    parser.add_argument("--kernels", default="", metavar="REGEX", help="only kernels of these names")
    parser.add_argument("--limit", type=int, default=0, help="at most so many mutants, chosen by chance")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", help="write every mutant with its fate")
    parser.add_argument("--require", action="append", default=[], metavar="NAME=PERCENT")
    arguments = parser.parse_args()
    with open(arguments.ptx) as file:
        text = file.read()
    alive, message = survives(arguments.run, text, arguments.timeout * 10)
    if not alive:
        sys.exit(f"mutate_ptx: the unchanged file fails: {message}")
    kinds = set(filter(None, arguments.kinds.split(",")))
    chosen = [mutant for mutant in mutants(text, kinds) if re.search(arguments.kernels, mutant.kernel)]
    if arguments.limit and len(chosen) > arguments.limit:
        print(f"{arguments.limit} of {len(chosen)} mutants, chosen with seed {arguments.seed}")
        chosen = sample(chosen, arguments.limit, arguments.seed)

    def test(mutant):
        alive, message = survives(arguments.run, apply(text, mutant), arguments.timeout)
        if alive:
            print(f"survived: {mutant.kernel}: line {mutant.line}: {mutant.name}: {mutant.code} -> {mutant.changed.strip()}",
                  flush=True)
        return alive, message

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        fates = list(pool.map(test, chosen))
    killed, total, report = collections.Counter(), collections.Counter(), []
    for mutant, (alive, message) in zip(chosen, fates):
        for group in (mutant.kind, mutant.kernel, "all"):
            total[group] += 1
            killed[group] += not alive
        report.append({**mutant._asdict(), "killed": not alive, "by": message})
    for groups in ({mutant.kernel for mutant in chosen}, {mutant.kind for mutant in chosen}):
        for group in sorted(groups):
            print(f"{group}: {killed[group]} of {total[group]} killed")
    print(f"all: {killed['all']} of {total['all']} killed")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(report, file, indent=1)
    for requirement in arguments.require:
        kind, percent = requirement.split("=")
        if not total[kind] or 100 * killed[kind] < float(percent) * total[kind]:
            sys.exit(f"mutate_ptx: {kind}: {killed[kind]} of {total[kind]} killed, expected {percent}%")


if __name__ == "__main__":
    main()
