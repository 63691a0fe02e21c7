"""Rewrites a checkpoint of flash-linear-attention in the layout of microsoft/Samba, with the standard library alone.

microsoft_checkpoint.py MODEL_DIR OUT.pth|OUT.safetensors [--bare] [--weights-file=NAME] [--config=OUT.json|OUT.yaml]
                        [--model-name=NAME] [--wide]

q, k and v become one matrix, grouped by key/value head; a tied head is stored a second time, in a .pth file as the same
storage. A .pth file holds {model, optimizer, hparams, iter_num, step_count} as the training code saves it, or with
--bare the state dict alone. --config writes what the tensors do not tell. --wide
writes 64-bit sizes, as large files have them.
"""
import collections
import json
import math
import os
import sys

import safetensors
import torch_file

SUBLAYERS = {"mixer_norm": "norm_1", "mlp_norm": "norm_2", "mixer.o_proj": "attn.proj", "mlp.gate_proj": "mlp.swiglu.w1",
             "mlp.up_proj": "mlp.swiglu.w2", "mlp.down_proj": "mlp.swiglu.w3"}


def grouped(q, k, v, groups):
    """Rows of query, key and value heads, by key/value head."""
    split = lambda data: [data[i * len(data) // groups : (i + 1) * len(data) // groups] for i in range(groups)]
    return b"".join(part for slabs in zip(split(q), split(k), split(v)) for part in slabs)


def convert(directory, weights_file="model.safetensors"):
    """Name -> (dtype, shape, bytes), in the order of the model."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    header, data = safetensors.split(os.path.join(directory, weights_file))
    tensors = {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
               for name, entry in header.items() if name != "__metadata__"}
    embeddings = tensors["backbone.embeddings.weight"]
    result = {"lm_head.weight": tensors.get("lm_head.weight", embeddings), "transformer.wte.weight": embeddings}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"backbone.layers.{layer}."
        for name, tensor in tensors.items():
            if not name.startswith(prefix):
                continue
            part, suffix = name[len(prefix):].split(".weight")[0], ".weight" if name.endswith(".weight") else ""
            target = f"transformer.h.{layer}."
            if part in ("mixer.k_proj", "mixer.v_proj"):
                continue
            if part == "mixer.q_proj":
                q, k, v = (tensors[f"{prefix}mixer.{which}_proj.weight"] for which in "qkv")
                rows = q[1][0] + k[1][0] + v[1][0]
                result[target + "attn.attn.weight"] = (
                    q[0], [rows, q[1][1]], grouped(q[2], k[2], v[2], config["attn"]["num_kv_heads"]))
            else:
                result[target + SUBLAYERS.get(part, part.replace("mixer.", "attn.")) + suffix] = tensor
    result["transformer.ln_f.weight"] = tensors["backbone.norm_f.weight"]
    return result


def state_dict(tensors):
    """Of a .pth file; tensors of the same bytes share a storage."""
    storages, state = {}, collections.OrderedDict()
    for name, (dtype, shape, data) in tensors.items():
        assert len(data) == math.prod(shape) * (4 if dtype == "F32" else 2)
        storage = storages.setdefault(data, torch_file.Storage(dtype, data))
        state[name] = torch_file.Tensor(storage, shape)
    return state


def write_config(directory, out):
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        attention = json.load(file)["attn"]
    keys = {"n_head": attention["num_heads"], "n_query_groups": attention["num_kv_heads"],
            "local_window": attention["window_size"], "nope": False}
    with open(out, "w", encoding="utf-8") as file:
        if out.endswith(".json"):
            json.dump(keys, file)
        else:
            file.writelines(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())


def main(arguments):
    options = dict(argument[2:].partition("=")[::2] for argument in arguments if argument.startswith("--"))
    directory, out = (argument for argument in arguments if not argument.startswith("--"))
    tensors = convert(directory, options.get("weights-file", "model.safetensors"))
    if "config" in options:
        write_config(directory, options["config"])
    if out.endswith(".safetensors"):
        header, data = {}, b""
        for name, (dtype, shape, values) in tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
            data += values
        safetensors.join(out, header, data)
        return
    state = state_dict(tensors)
    if "bare" not in options:
        moment = torch_file.Storage("F32", bytes(4096))
        adam = {0: {"step": torch_file.Tensor(torch_file.Storage("F32", bytes(4)), []),
                    "exp_avg": torch_file.Tensor(moment, [32, 32], strides=[1, 32])}}
        groups = [{"lr": 4e-4, "betas": (0.9, 0.95), "weight_decay": 0.1, "fused": None, "params": [0]}]
        state = {"model": state, "optimizer": {"state": adam, "param_groups": groups},
                 "hparams": {"model_name": options.get("model-name", "a model of one's own"), "devices": 8, "learning_rate": 4e-4, "tokens": 20 * 10**9},
                 "iter_num": 100, "step_count": 50}
    torch_file.save(out, state, wide="wide" in options)


if __name__ == "__main__":
    main(sys.argv[1:])
