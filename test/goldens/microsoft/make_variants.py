"""Makes tiny models of the training code's variants that no other golden model has, each with its float64 results.

make_variants.py SOURCE_DIR

Written from docs/spec.md, section 1, in plain PyTorch; needs torch and nothing of this project but the helper that
writes safetensors. For each NAME of CONFIGS: test/goldens/microsoft/NAME.pth and NAME-golden.safetensors (tokens,
logits, greedy).
"""
import os
import struct
import sys

import torch
import torch.nn.functional as F

WIDTH, VOCABULARY, HEADS, GROUPS, WINDOW, MLP, RANK, STATES, KERNEL = 32, 64, 4, 2, 8, 48, 2, 16, 4
TOKENS, GREEDY = 40, 12

# The mixers of each layer, and whether there are rotary embeddings.
CONFIGS = {
    "mamba-swa-mlp": ([["mb", "attn", "mlp"]] * 2, True),
    "mamba": ([["mamba"]] * 3, True),
    "ablations": ([["swiglu", "mlp"], ["attn", "mlp"], ["ssm", "mlp"], ["full", "mlp"]], False),
}


class Weights:
    """Random tensors by name, made when they are first asked for."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors = {}

    def __call__(self, name, *shape):
        if name not in self.tensors:
            value = torch.randn(shape, generator=self.generator, dtype=torch.float64) / max(1, shape[-1]) ** 0.5
            if name.endswith("A_log"):
                value = torch.log(torch.arange(1.0, STATES + 1, dtype=torch.float64)).repeat(shape[0], 1) + 0.1 * value
            elif "norm" in name or "ln_f" in name or name.endswith(".D"):
                value = 1 + 0.2 * value
            elif name.endswith("dt_proj.bias"):
                value = value - 2
            elif "wte" in name or "lm_head" in name:
                value = value * shape[-1] ** 0.5
            self.tensors[name] = value.float().double()  # what the file holds
        return self.tensors[name]


def norm(x, weight):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


def mamba(w, prefix, h):
    inner, length = 2 * WIDTH, h.shape[0]
    x, z = (h @ w(prefix + "in_proj.weight", 2 * inner, WIDTH).T).split(inner, -1)
    taps = w(prefix + "conv1d.weight", inner, 1, KERNEL)
    padded = torch.cat([torch.zeros(KERNEL - 1, inner, dtype=x.dtype), x])
    conv = sum(padded[tap : tap + length] * taps[:, 0, tap] for tap in range(KERNEL))
    x = F.silu(conv + w(prefix + "conv1d.bias", inner))
    low, b, c = (x @ w(prefix + "x_proj.weight", RANK + 2 * STATES, inner).T).split([RANK, STATES, STATES], -1)
    delta = F.softplus(low @ w(prefix + "dt_proj.weight", inner, RANK).T + w(prefix + "dt_proj.bias", inner))
    a = -torch.exp(w(prefix + "A_log", inner, STATES))
    state, rows = torch.zeros(inner, STATES, dtype=x.dtype), []
    for t in range(length):
        state = torch.exp(delta[t, :, None] * a) * state + (delta[t] * x[t])[:, None] * b[t]
        rows.append(state @ c[t] + w(prefix + "D", inner) * x[t])
    return (torch.stack(rows) * F.silu(z)) @ w(prefix + "out_proj.weight", WIDTH, inner).T


def rotate(x, positions):
    half = x.shape[-1] // 2
    angles = positions[:, None] * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
    cos, sin = torch.cos(angles)[:, None], torch.sin(angles)[:, None]
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


def attention(w, prefix, h, window, rotary):
    length, size, per = h.shape[0], WIDTH // HEADS, HEADS // GROUPS
    rows = (HEADS + 2 * GROUPS) * size
    qkv = (h @ w(prefix + "attn.weight", rows, WIDTH).T).view(length, GROUPS, per + 2, size)
    q, k, v = qkv[:, :, :per].reshape(length, HEADS, size), qkv[:, :, per], qkv[:, :, per + 1]
    if rotary:
        positions = torch.arange(length, dtype=torch.float64)
        q, k = rotate(q, positions), rotate(k, positions)
    k, v = k.repeat_interleave(per, 1), v.repeat_interleave(per, 1)
    scores = torch.einsum("ihd,jhd->hij", q, k) / size**0.5
    i, j = torch.arange(length)[:, None], torch.arange(length)
    visible = (j <= i) & (j > i - (window or length))
    probabilities = torch.softmax(scores.masked_fill(~visible, float("-inf")), -1)
    y = torch.einsum("hij,jhd->ihd", probabilities, v).reshape(length, WIDTH)
    return y @ w(prefix + "proj.weight", WIDTH, WIDTH).T


def swiglu(w, prefix, h, width):
    gate, up = h @ w(prefix + "w1.weight", width, WIDTH).T, h @ w(prefix + "w2.weight", width, WIDTH).T
    return (F.silu(gate) * up) @ w(prefix + "w3.weight", WIDTH, width).T


def forward(w, layers, rotary, tied, tokens):
    x = w("transformer.wte.weight", VOCABULARY, WIDTH)[tokens]
    for number, blocks in enumerate(layers):
        prefix = f"transformer.h.{number}."
        normed = lambda name: norm(x, w(prefix + name + ".weight", WIDTH))
        for block in blocks:
            if block == "mamba":
                x = x + mamba(w, prefix + "mixer.", normed("norm"))
            elif block == "mb":
                x = x + mamba(w, prefix + "mb.", normed("norm_m"))
            elif block == "ssm":
                x = x + mamba(w, prefix + "attn.", normed("norm_1"))
            elif block in ("attn", "full"):
                name = "norm_attn" if "mb" in blocks else "norm_1"
                x = x + attention(w, prefix + "attn.", normed(name), WINDOW if block == "attn" else None, rotary)
            elif block == "swiglu":
                x = x + swiglu(w, prefix + "attn.swiglu.", normed("norm_1"), 2 * WIDTH)
            else:
                x = x + swiglu(w, prefix + "mlp.swiglu.", normed("norm_2"), MLP)
    x = norm(x, w("transformer.ln_f.weight", WIDTH))
    return x @ w("transformer.wte.weight" if tied else "lm_head.weight", VOCABULARY, WIDTH).T


source = sys.argv[1]
sys.path.insert(0, os.path.join(source, "test", "tools"))
import safetensors

for seed, (name, (layers, rotary)) in enumerate(CONFIGS.items()):
    weights, tied = Weights(seed), name != "ablations"
    tokens = torch.randint(VOCABULARY, (TOKENS,), generator=torch.Generator().manual_seed(100 + seed)).tolist()
    logits, text = forward(weights, layers, rotary, tied, tokens), list(tokens)
    for _ in range(GREEDY):
        text.append(int(forward(weights, layers, rotary, tied, text)[-1].argmax()))
    state = {key: value.float() for key, value in weights.tensors.items()}
    if tied:
        state["lm_head.weight"] = state["transformer.wte.weight"]
    folder = os.path.join(source, "test/goldens/microsoft")
    torch.save({"model": state, "iter_num": 0}, os.path.join(folder, name + ".pth"))
    header, data = {}, b""
    for key, kind, shape, values in (("tokens", "I32", [TOKENS], struct.pack(f"<{TOKENS}i", *tokens)),
                                     ("greedy", "I32", [GREEDY], struct.pack(f"<{GREEDY}i", *text[TOKENS:])),
                                     ("logits", "F32", list(logits.shape), logits.float().numpy().tobytes())):
        header[key] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    safetensors.join(os.path.join(folder, name + "-golden.safetensors"), header, data)
