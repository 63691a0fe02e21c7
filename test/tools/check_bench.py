"""Checks what samba-bench writes against what the model's configuration says: check_bench.py HOW FILE...

tests FILE CONFIG        results of tests with --json: rates, statistics, bounds; work recomputed from config.json
kernels FILE CONFIG      results of --ops with --json, of a prompt step and a generation step, in this order
trace FILE STEPS         a trace: steps, layers and kernels lie in each other, spans of a thread do not overlap
limits FILE COUNT        results of --limits with --json, for COUNT numbers of threads
matrix FILE              a result of --fusion-matrix=residual,block: variants, what they save, changes
interrupt COMMAND...     SIGINT ends the command early, with exit code 130 and a whole result
"""
import json
import signal
import statistics
import subprocess
import sys
import time


def require(condition, what):
    if not condition:
        sys.exit(f"expected {what}")


def close(a, b, what):
    require(abs(a - b) <= 1e-6 * max(abs(a), abs(b)), f"{what} {b}, found {a}")


def read(path):
    with open(path) as file:
        return json.load(file)


class Model:
    """Work by the formulas of the architecture, for a config.json of flash-linear-attention."""

    def __init__(self, path):
        c = read(path)
        self.layers, self.width, self.vocabulary = c["num_hidden_layers"], c["hidden_size"], c["vocab_size"]
        attention = c["attn"]
        self.attention_layers = attention["layers"]
        self.window, self.heads = attention["window_size"], attention["num_heads"]
        self.kv_heads = attention.get("num_kv_heads") or self.heads
        self.head = self.width // self.heads
        inner, states = c["expand"] * self.width, c["state_size"]
        rank = c["time_step_rank"]
        rank = -(-self.width // 16) if rank == "auto" else rank
        hidden = 256 * -(-int(self.width * c["hidden_ratio"] * 2 / 3) // 256)
        mamba = 3 * inner * self.width + inner * (2 * rank + 2 * states)
        kv = 2 * self.kv_heads * self.head
        swa = self.width * (2 * self.heads * self.head + kv)
        count = len(self.attention_layers)
        self.parameters = self.layers * 3 * self.width * hidden + (self.layers - count) * mamba + count * swa
        self.state = 2 * 4 * (self.layers - count) * inner * (states + c["conv_kernel"] - 1)
        self.slot = 4 * kv * count

    def linear(self, tokens, rows):
        return 2 * (tokens * self.parameters + rows * self.width * self.vocabulary)

    def attention(self, context, tokens):
        keys = sum(min(context + i + 1, self.window) for i in range(tokens))
        return 4 * self.heads * self.head * len(self.attention_layers) * keys

    def state_bytes(self, context, tokens):
        return self.state + self.slot * (min(context, self.window) + min(tokens, self.window))


def check_tests(path, config):
    model = Model(config)
    result = read(path)
    require(result["tests"], "tests")
    for test in result["tests"]:
        seconds, rates = test["repetitions"], test["tokens_per_s"]
        tokens, batch = test["tokens"], test["batch"]
        require(tokens == batch * (test["prompt"] + test["generate"]), "the number of tokens")
        close(rates["median"], statistics.median(tokens / s for s in seconds), "median")
        close(rates["mean"], statistics.mean(tokens / s for s in seconds), "mean")
        close(rates["deviation"], statistics.stdev(tokens / s for s in seconds), "deviation")
        linear = attention = state = 0
        for done in range(0, test["prompt"], test["chunk"]):
            count, context = min(test["chunk"], test["prompt"] - done), test["depth"] + done
            linear += batch * model.linear(count, done + count == test["prompt"])
            attention += batch * model.attention(context, count)
            state += batch * model.state_bytes(context, count)
        for i in range(test["generate"]):
            context = test["depth"] + test["prompt"] + i
            linear += model.linear(batch, batch)
            attention += batch * model.attention(context, 1)
            state += batch * model.state_bytes(context, 1)
        bound, limits = test["bound"], test["limits"]
        close(bound["linear_flops"], linear, f"{test['test']}: linear_flops")
        close(bound["attention_flops"], attention, f"{test['test']}: attention_flops")
        close(bound["state_bytes"], state, f"{test['test']}: state_bytes")
        close(bound["compute_s"], linear / limits["f32_flops_per_s"] + attention / limits["f32_flops_per_s"], "compute_s")
        close(bound["memory_s"], (bound["weight_bytes"] + state) / limits["read_bytes_per_s"], "memory_s")
        require(bound["seconds"] >= 0.999 * max(bound["compute_s"], bound["memory_s"]), "a bound of the slower one")
        close(test["of_bound"], bound["seconds"] / statistics.median(seconds), "of_bound")


def check_kernels(path, config):
    model = Model(config)
    profiles = read(path)["profiles"]
    for profile in profiles:
        kernels = profile["kernels"]
        barriers = sum(kernel["barriers"] for kernel in kernels)
        require(barriers == profile["barriers"], f"{profile['barriers']} barriers in all, found {barriers}")
        launches = sum(kernel["launches"] for kernel in kernels)
        require(0 < launches <= barriers, "a barrier for each launch at least")
        close(sum(k["seconds"] for k in kernels) + profile["outside_s"],
              sum(k["seconds"] / k["share"] for k in kernels) / len(kernels), "seconds")
        close(sum(kernel["bound_s"] for kernel in kernels), profile["bound_s"], "bound_s")
        for kernel in kernels:
            close(kernel["of_bound"] * kernel["seconds"], kernel["bound_s"], "of_bound")
        if any(kernel["layer"] for kernel in kernels):
            require({f"layers.{i}.mlp" for i in range(model.layers)} <= {k["layer"] for k in kernels}, "all layers")
    prompt, generation = profiles[0], profiles[-1]
    scans = [kernel for kernel in prompt["kernels"] if kernel["kernel"].endswith("scan")]
    require(sum(k["launches"] for k in scans) == model.layers - len(model.attention_layers), "a scan for each Mamba")
    # Everything but linears and attention is small beside them.
    for profile, flops in (prompt, model.linear(prompt["tokens"], 1) + model.attention(0, prompt["tokens"])), (
            generation, model.linear(1, 1) + model.attention(generation["depth"], 1)):
        found = sum(kernel["flops"] for kernel in profile["kernels"])
        require(flops <= found <= 1.25 * flops, f"{flops} flops and a little, found {found}")


def check_trace(path, steps):
    events = read(path)["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    require(names[0] == "model" and len(names) >= 2, "tracks for the model and its threads")
    spans = [event for event in events if event["ph"] == "X"]
    kinds = {kind: [e for e in spans if e["tid"] == 0 and e["cat"] == kind] for kind in ("step", "layer")}
    require(len(kinds["step"]) == int(steps), f"{steps} steps, found {len(kinds['step'])}")
    require({"layers.0.mixer", "layers.1.mlp"} <= {e["name"] for e in kinds["layer"]}, "layers by name")
    end = lambda event: event["ts"] + event["dur"]
    inside = lambda a, b: b["ts"] - 0.001 <= a["ts"] and end(a) <= end(b) + 0.001
    for event in spans:
        require(any(inside(event, step) for step in kinds["step"]), f"{event['name']} within a step")
    for track in names:
        last = 0
        for event in sorted((e for e in spans if e["tid"] == track > 0), key=lambda e: (e["ts"], e["dur"])):
            require(event["ts"] >= last - 0.001, f"spans of thread {track} one after the other")
            last = end(event)


def check_limits(path, count):
    limits = read(path)["limits"]
    require(len(limits) == int(count), f"{count} lines of limits")
    for line in limits:
        require(line["f32_flops_per_s"] > 1e8 and line["read_bytes_per_s"] > 1e7, "limits")
        for key in "bf16_flops_per_s", "int8_ops_per_s":
            require(line[key] is None or line[key] > 1e8, f"a limit or nothing as {key}")


def check_matrix(path):
    result = read(path)
    matrix = result["fusion_matrix"]
    variants = {row["name"]: row for row in matrix["variants"]}
    barriers_of = {"decode": "barriers", "prefill": "prefill_barriers"}
    require(list(variants) == ["none", "default", "all", "only residual", "only block", "default without residual",
                               "default with block", "all without residual", "all without block"], "the variants in order")
    size = lambda cost: sum(cost[key] for key in ("activation_bytes", "weight_bytes", "state_bytes"))
    for name, row in variants.items():
        against = variants[row["against"]]
        require(row["barriers_saved"] == against["barriers"] - row["barriers"], f"{name}: a difference of barriers")
        for step in "decode", "prefill":
            require(row["bytes_saved"][step] == size(against["predicted"][step]) - size(row["predicted"][step]),
                    f"{name}: a difference of bytes")
            barriers, predicted = row[barriers_of[step]], row["predicted"][step]["barriers"]
            require(predicted == barriers, f"{name}: {barriers} barriers as in the code, predicted {predicted}")
    require(variants["only residual"]["barriers_saved"] > 0, "barriers that the residual saves")
    require(variants["default without residual"]["barriers_saved"] < 0, "barriers that its absence costs")
    require(variants["none"]["kernels"] > variants["all"]["kernels"], "fewer kernels with all fusions")
    groups = {}
    for row in matrix["tests"]:
        groups.setdefault((row["test"], row["threads"]), {})[row["name"]] = row
    require(len(groups) == 2, "a prompt and a generation")
    for rows in groups.values():
        require(len(rows) == len(variants) + 1, "a row for each variant, and the control")
        for name, row in rows.items():
            against = rows[variants[name]["against"] if name in variants else "none"]
            if row is against:
                require(row["change"] is None, "no change of what is compared with itself")
                continue
            changes = [100 * (b / a - 1) for a, b in zip(row["repetitions"], against["repetitions"])]
            close(row["change"]["median"], statistics.median(changes), f"{name}: change")
            require(row["change"]["lower_quartile"] <= row["change"]["median"] <= row["change"]["upper_quartile"], "quartiles")
            twin = name in variants and variants[name]["same_code_as"]
            require(not twin or rows[twin]["repetitions"] == row["repetitions"], f"{name}: measured with its twin")


def check_interrupt(*command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "tokens/s" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    require(process.returncode == 130, f"exit code 130, found {process.returncode}")
    require(json.loads(out)["tests"][0]["repetitions"], "the repetitions that were done")


{"tests": check_tests, "kernels": check_kernels, "trace": check_trace, "limits": check_limits, "matrix": check_matrix,
 "interrupt": check_interrupt}[sys.argv[1]](*sys.argv[2:])
