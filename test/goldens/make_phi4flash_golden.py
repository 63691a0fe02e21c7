"""Golden data of the family phi4flash: a tiny random checkpoint in the published layout, and its results in float64.

usage: make_phi4flash_golden.py OUTPUT_FOLDER

Written from docs/spec.md, section 3.5, in plain NumPy (1.24 was used): the published code needs a GPU. Everything is
computed from the beginning for each token, with no state carried along. The layout of golden.safetensors is that of
make_family_goldens.py; the weights are exact in the type they are stored in.
"""
import json
import math
import os
import struct
import sys

import numpy as np

CONFIG = {
    "architectures": ["Phi4FlashForCausalLM"], "model_type": "phi4flash", "hidden_act": "silu", "vocab_size": 61,
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 12, "num_attention_heads": 8,
    "num_key_value_heads": 4, "sliding_window": 8, "mb_per_layer": 2, "mamba_d_state": 8, "mamba_d_conv": 4,
    "mamba_expand": 2, "mamba_dt_rank": 3, "layer_norm_eps": 1e-5, "max_position_embeddings": 128,
    "tie_word_embeddings": True, "mlp_bias": False, "lm_head_bias": False, "attention_dropout": 0.0,
    "resid_pdrop": 0.0, "embd_pdrop": 0.0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    "torch_dtype": "float32",
}
# What is different in a model whose matrices are large enough to be quantised, with few of them.
WIDE = {"vocab_size": 67, "hidden_size": 64, "intermediate_size": 80, "num_hidden_layers": 8, "mamba_expand": 1}
TOKENS, GREEDY, MARGIN = 40, 32, 0.02


def choose(changes):
    """The model that everything below is about."""
    global VOCABULARY, WIDTH, MLP, LAYERS, HEADS, GROUPS, LANES, HALF, WINDOW, INNER, STATES, TAPS, RANK
    CONFIG.update(changes)
    VOCABULARY, WIDTH, MLP = CONFIG["vocab_size"], CONFIG["hidden_size"], CONFIG["intermediate_size"]
    LAYERS, HEADS, GROUPS = CONFIG["num_hidden_layers"], CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"]
    LANES, HALF, WINDOW = WIDTH // HEADS, LAYERS // 2, CONFIG["sliding_window"]
    INNER, STATES, TAPS, RANK = CONFIG["mamba_expand"] * WIDTH, CONFIG["mamba_d_state"], CONFIG["mamba_d_conv"], \
        CONFIG["mamba_dt_rank"]


def shapes():
    """Name -> shape of every tensor."""
    result = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            result[prefix + norm + ".weight"] = result[prefix + norm + ".bias"] = (WIDTH,)
        result[prefix + "mlp.fc1.weight"], result[prefix + "mlp.fc2.weight"] = (2 * MLP, WIDTH), (WIDTH, MLP)
        attn, cross = prefix + "attn.", layer >= HALF + 2
        if layer % 2:
            outputs = WIDTH + (0 if cross else 2 * GROUPS * LANES)
            result.update({attn + "Wqkv.weight": (outputs, WIDTH), attn + "Wqkv.bias": (outputs,),
                           attn + "out_proj.weight": (WIDTH, WIDTH), attn + "out_proj.bias": (WIDTH,),
                           attn + "inner_cross_attn.subln.weight": (2 * LANES,)})
            for part in ("q1", "k1", "q2", "k2"):
                result[attn + "inner_cross_attn.lambda_" + part] = (LANES,)
        else:
            result.update({attn + "in_proj.weight": (INNER if cross else 2 * INNER, WIDTH),
                           attn + "out_proj.weight": (WIDTH, INNER)})
            if not cross:
                result.update({attn + "conv1d.weight": (INNER, 1, TAPS), attn + "conv1d.bias": (INNER,),
                               attn + "x_proj.weight": (RANK + 2 * STATES, INNER),
                               attn + "dt_proj.weight": (INNER, RANK), attn + "dt_proj.bias": (INNER,),
                               attn + "A_log": (INNER, STATES), attn + "D": (INNER,)})
    result["model.final_layernorm.weight"] = result["model.final_layernorm.bias"] = (WIDTH,)
    return result


def random_weights(seed):
    """Weights that let every tensor matter, as float32 holds them."""
    random, weights = np.random.default_rng(seed), {}
    for name, shape in shapes().items():
        noise = random.standard_normal(shape)
        if name.endswith("A_log"):
            value = np.log(np.arange(1, STATES + 1)) + 0.2 * noise
        elif name.endswith(".D") or name.endswith("norm.weight") or name.endswith("subln.weight"):
            value = 1 + 0.2 * noise
        elif name.endswith("dt_proj.bias"):
            value = -3 + noise
        elif "lambda" in name:
            value = 0.4 * noise
        elif name.endswith("bias"):
            value = 0.2 * noise
        elif "conv1d" in name:
            value = 0.5 * noise
        elif "embed" in name:
            value = noise * 2 / WIDTH ** 0.5
        else:
            value = noise / shape[-1] ** 0.5 * (2 if "Wqkv" in name else 1)
        weights[name] = value.astype("<f4").astype("<f8")
    return weights


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def layer_norm(w, name, x):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + CONFIG["layer_norm_eps"]) * \
        w[name + ".weight"] + w[name + ".bias"]


def mamba(w, attn, h, states):
    """What the layer adds to its input, and the scan's output before the gate."""
    x, z = np.split(h @ w[attn + "in_proj.weight"].T, 2, axis=-1)
    states["conv"] = x[1 - TAPS:]
    padded = np.concatenate([np.zeros((TAPS - 1, INNER)), x])
    taps = w[attn + "conv1d.weight"][:, 0]
    u = silu(sum(padded[m:m + len(x)] * taps[:, m] for m in range(TAPS)) + w[attn + "conv1d.bias"])
    low, b, c = np.split(u @ w[attn + "x_proj.weight"].T, [RANK, RANK + STATES], axis=-1)
    delta = softplus(low @ w[attn + "dt_proj.weight"].T + w[attn + "dt_proj.bias"])
    a, state, y = -np.exp(w[attn + "A_log"]), np.zeros((INNER, STATES)), np.empty_like(u)
    for t in range(len(u)):
        state = np.exp(delta[t][:, None] * a) * state + (delta[t] * u[t])[:, None] * b[t]
        y[t] = state @ c[t] + w[attn + "D"] * u[t]
    states["ssm"] = state
    return (y * silu(z)) @ w[attn + "out_proj.weight"].T, y


def attention(q, k, v, window):
    """One head: all arguments are [tokens, lanes]."""
    age = np.arange(len(q))[:, None] - np.arange(len(k))
    scores = np.where((age >= 0) & (age < (window or len(k))), q @ k.T / math.sqrt(q.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def differential_attention(w, attn, q, k, v, layer, window):
    """Heads 2p and 2p + 1 of the queries are pair p, and so with keys and values."""
    inner = attn + "inner_cross_attn."
    dot = {n: float(w[inner + "lambda_q" + n] @ w[inner + "lambda_k" + n]) for n in "12"}
    start = 0.8 - 0.6 * math.exp(-0.3 * layer)
    factor = math.exp(dot["1"]) - math.exp(dot["2"]) + start
    head = lambda x, number: x[:, number * LANES:(number + 1) * LANES]
    pairs = []
    for pair in range(HEADS // 2):
        group = pair // (HEADS // GROUPS)
        value = np.concatenate([head(v, 2 * group), head(v, 2 * group + 1)], axis=-1)
        first = attention(head(q, 2 * pair), head(k, 2 * group), value, window)
        second = attention(head(q, 2 * pair + 1), head(k, 2 * group + 1), value, window)
        difference = first - factor * second
        root = np.sqrt((difference ** 2).mean(-1, keepdims=True) + 1e-5)
        pairs.append(difference / root * w[inner + "subln.weight"] * (1 - start))
    return np.concatenate(pairs, axis=-1) @ w[attn + "out_proj.weight"].T + w[attn + "out_proj.bias"]


def run(w, tokens):
    """Logits, hidden values by name, states of Mamba layers by name."""
    x, hidden, states, memory, shared = w["model.embed_tokens.weight"][tokens], {}, {}, None, None
    hidden["embeddings"] = x
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        attn, cross = prefix + "attn.", layer >= HALF + 2
        h = layer_norm(w, prefix + "input_layernorm", x)
        if layer % 2 == 0 and cross:
            gated = silu(h @ w[attn + "in_proj.weight"].T) * memory
            x = x + gated @ w[attn + "out_proj.weight"].T
        elif layer % 2 == 0:
            own = {}
            update, memory = mamba(w, attn, h, own)
            x = x + update
            states.update({f"layer{layer}/{name}": value for name, value in own.items()})
        else:
            qkv = h @ w[attn + "Wqkv.weight"].T + w[attn + "Wqkv.bias"]
            q = qkv[:, :WIDTH]
            if not cross:
                shared = np.split(qkv[:, WIDTH:], 2, axis=-1)
            x = x + differential_attention(w, attn, q, *shared, layer, WINDOW if layer < HALF else None)
        h = layer_norm(w, prefix + "post_attention_layernorm", x)
        gate, up = np.split(h @ w[prefix + "mlp.fc1.weight"].T, 2, axis=-1)
        x = x + (silu(gate) * up) @ w[prefix + "mlp.fc2.weight"].T
        hidden[f"layer{layer}"] = x
    hidden["norm_f"] = layer_norm(w, "model.final_layernorm", x)
    return hidden["norm_f"] @ w["model.embed_tokens.weight"].T, hidden, states


def greedy(w, tokens):
    tokens, margins = list(tokens), []
    for _ in range(GREEDY):
        last = run(w, tokens)[0][-1]
        second, best = np.argsort(last)[-2:]
        margins.append(last[best] - last[second])
        tokens.append(int(best))
    return np.array(tokens[-GREEDY:]), np.array(margins)


def bf16_bits(x):
    bits = x.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def save(path, tensors, metadata):
    """Floating-point arrays are stored as F32, 32-bit integers as I32, 16-bit words as BF16."""
    types = {"f": ("F32", "<f4"), "i": ("I32", "<i4"), "u": ("BF16", "<u2")}
    header, data = {"__metadata__": metadata}, b""
    for name in sorted(tensors):
        dtype, stored = types[tensors[name].dtype.kind]
        blob = tensors[name].astype(stored).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensors[name].shape),
                        "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write(out, suffixes):
    """A checkpoint and its results, in the types of the suffixes: one file of weights and one of results for each."""
    os.makedirs(out, exist_ok=True)
    for seed in range(1, 1000):  # the first one whose greedy choices all have a clear winner, in all types
        w = random_weights(seed)
        bits = {name: bf16_bits(value) for name, value in w.items()}
        narrow = {name: (value.astype("<u4") << 16).view("<f4").astype("<f8") for name, value in bits.items()}
        tokens = np.random.default_rng(1000 + seed).integers(0, VOCABULARY, TOKENS)
        types = {"": (w, w), "-bf16": (narrow, bits)}
        results = {suffix: greedy(types[suffix][0], tokens) for suffix in suffixes}
        if all(margins.min() > MARGIN for _, margins in results.values()):
            break
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as file:
        json.dump(CONFIG, file, indent=2, sort_keys=True)
        file.write("\n")
    for suffix, (chosen, margins) in results.items():
        weights, stored = types[suffix]
        save(os.path.join(out, f"model{suffix}.safetensors"), stored, {"format": "pt"})
        logits, hidden, states = run(weights, tokens)
        result = {"tokens": tokens, "logits": logits, "greedy": chosen, "greedy_margin": margins}
        if not suffix:
            positions = sorted(set(range(0, TOKENS, 8)) | {TOKENS - 1})
            result["hidden_positions"] = np.array(positions)
            result.update({"hidden/" + name: value[positions] for name, value in hidden.items()})
            result.update({"state/" + name: value for name, value in states.items()})
        save(os.path.join(out, f"golden{suffix}.safetensors"), result, {"computed_in": "float64"})
        print(f"seed {seed}{suffix}: logit deviation {logits.std():.2f}, least margin {margins.min():.3f}, "
              f"{len(set(chosen.tolist()))} different greedy tokens")


if __name__ == "__main__":
    choose({})
    write(os.path.join(sys.argv[1], "tiny-phi4flash"), ["", "-bf16"])
    choose(WIDE)
    write(os.path.join(sys.argv[1], "wide-phi4flash"), ["-bf16"])
