"""Writes a phi4flash checkpoint with random weights, for tests that look at what is computed and not at results.

    make_sambay.py CONFIG DIRECTORY f32|bf16
"""
import array
import json
import math
import os
import random
import shutil
import struct
import sys

config_path, directory, dtype = sys.argv[1:]
with open(config_path) as file:
    config = json.load(file)
D, I, V = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
E, N, C = config["mamba_expand"] * D, config["mamba_d_state"], config["mamba_d_conv"]
R, H, K = config["mamba_dt_rank"], config["num_attention_heads"], config["num_key_value_heads"]
layers, P = config["num_hidden_layers"], D // H

shapes = {"model.embed_tokens.weight": [V, D], "lm_head.weight": [V, D]}


def add(prefix, **tensors):
    for name, shape in tensors.items():
        shapes[f"{prefix}.{name.replace('__', '.')}"] = shape


add("model.final_layernorm", weight=[D], bias=[D])
for layer in range(layers):
    prefix = f"model.layers.{layer}"
    for norm in ("input_layernorm", "post_attention_layernorm"):
        add(f"{prefix}.{norm}", weight=[D], bias=[D])
    add(f"{prefix}.mlp", fc1__weight=[2 * I, D], fc2__weight=[D, I])
    if layer % 2:
        outputs = H * P if layer >= layers // 2 + 2 else (H + 2 * K) * P
        add(f"{prefix}.attn", Wqkv__weight=[outputs, D], Wqkv__bias=[outputs], out_proj__weight=[D, H * P],
            out_proj__bias=[D], inner_cross_attn__subln__weight=[2 * P])
        for part in ("q1", "k1", "q2", "k2"):
            shapes[f"{prefix}.attn.inner_cross_attn.lambda_{part}"] = [P]
    elif layer <= layers // 2:
        add(f"{prefix}.attn", in_proj__weight=[2 * E, D], conv1d__weight=[E, 1, C], conv1d__bias=[E],
            x_proj__weight=[R + 2 * N, E], dt_proj__weight=[E, R], dt_proj__bias=[E], A_log=[E, N], D=[E],
            out_proj__weight=[D, E])
    else:
        add(f"{prefix}.attn", in_proj__weight=[E, D], out_proj__weight=[D, E])

random.seed(1)
pool = [random.uniform(-1, 1) for _ in range(16381)]  # a prime: rows of a matrix differ
header, blobs, offset = {}, [], 0
for name, shape in shapes.items():
    count, scale = math.prod(shape), 1 / math.sqrt(shape[-1])
    blob = (array.array("f", (value * scale for value in pool)) * (count // len(pool) + 1))[:count].tobytes()
    if dtype == "bf16":
        words = array.array("H", blob)
        blob = words[1::2].tobytes()
    header[name] = {"dtype": dtype.upper(), "shape": shape, "data_offsets": [offset, offset + len(blob)]}
    blobs.append(blob)
    offset += len(blob)
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
os.makedirs(directory, exist_ok=True)
shutil.copy(config_path, f"{directory}/config.json")
with open(f"{directory}/model.safetensors", "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
