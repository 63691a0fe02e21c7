"""Makes copies of a model directory, each broken in one way: bad_checkpoints.py MODEL_DIR OUTPUT_DIR."""
import json
import os
import struct
import sys

import safetensors

source, output = sys.argv[1:]
header, data = safetensors.split(os.path.join(source, "model.safetensors"))
with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
    config = json.load(file)

NORM = "backbone.norm_f.weight"
EMBEDDINGS = "backbone.embeddings.weight"
LAST = max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"])


def directory(name):
    path = os.path.join(output, name)
    os.makedirs(path)
    return path


def write_config(path, changed=None):
    with open(os.path.join(path, "config.json"), "w", encoding="utf-8") as file:
        file.write(changed if isinstance(changed, str) else json.dumps(changed or config))


def weights(name, header=header, data=data):
    """A directory with other weights."""
    path = directory(name)
    write_config(path)
    safetensors.join(os.path.join(path, "model.safetensors"), header, data)


def raw_weights(name, content):
    path = directory(name)
    write_config(path)
    with open(os.path.join(path, "model.safetensors"), "wb") as file:
        file.write(content)


def tensor(name, which, **changes):
    """A directory in which the header says something else about a tensor."""
    weights(name, {**header, which: {**header[which], **changes}})


def good_weights(name):
    """A directory with the weights of the model and nothing else."""
    path = directory(name)
    os.symlink(os.path.abspath(os.path.join(source, "model.safetensors")), os.path.join(path, "model.safetensors"))
    return path


def configuration(name, **changes):
    """A directory in which keys of the configuration are changed."""
    write_config(good_weights(name), {**config, **changes})


# ---- Files.
write_config(directory("no-weights"))
good_weights("no-config")
raw_weights("empty", b"")
raw_weights("short", b"\x08\0\0")
text = json.dumps(header).encode()
raw_weights("cut-header", struct.pack("<Q", len(text)) + text[: len(text) // 2])
weights("cut-data", data=data[:-1000])
weights("long-data", data=data + b"\0" * 8)

# ---- Headers.
raw_weights("huge-header", struct.pack("<Q", 2**63) + text + data)
raw_weights("wrapping-header", struct.pack("<Q", 2**64 - 4) + text + data)
weights("text-header", b"hello, this is not JSON")
weights("broken-json", text[:-1])
weights("deep-json", b'{"a":' * 100000 + b"1" + b"}" * 100000)
weights("number-header", {**header, NORM: 7})

# ---- Tensors in the header.
begin, end = header[NORM]["data_offsets"]
tensor("out-of-range", NORM, data_offsets=[begin + len(data), end + len(data)])
tensor("negative-offset", NORM, data_offsets=[-8, end - begin - 8])
tensor("backwards", NORM, data_offsets=[end, begin])
tensor("overlap", NORM, data_offsets=[begin - 4, end - 4])
tensor("overflow", NORM, shape=[2**32, 2**32])
tensor("negative-size", NORM, shape=[-64])
tensor("size-mismatch", NORM, shape=[63])
tensor("unknown-dtype", NORM, dtype="F33")
tensor("integer-dtype", NORM, dtype="I32")

# ---- Tensors of the model.
without = {name: entry for name, entry in header.items() if name != LAST}
weights("missing-tensor", without, data[: header[LAST]["data_offsets"][0]])
surplus = {"dtype": "F32", "shape": [2, 3], "data_offsets": [len(data), len(data) + 24]}
weights("surplus-tensor", {**header, "backbone.layers.0.mixer.extra": surplus}, data + b"\0" * 24)
rows, columns = header[EMBEDDINGS]["shape"]
tensor("wrong-shape", EMBEDDINGS, shape=[columns, rows])

# ---- The index of several files.
path = directory("bad-index")
write_config(path)
with open(os.path.join(path, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
    json.dump({"weight_map": {NORM: "../../etc/passwd"}}, file)
path = directory("missing-shard")
write_config(path)
with open(os.path.join(path, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
    json.dump({"weight_map": {NORM: "model-00001-of-00002.safetensors"}}, file)

# ---- The configuration.
configuration("other-model", model_type="gpt2")
configuration("attnres", attnres_block_size=4)
configuration("rope-scaling", rope_scaling={"type": "linear", "factor": 2.0})
configuration("activation", hidden_act="gelu")
configuration("zero-width", hidden_size=0)
configuration("huge-width", hidden_size=2**40)
configuration("fractional-layers", num_hidden_layers=1.5)
configuration("odd-heads", attn={**config["attn"], "num_heads": 3})
configuration("text-flag", tie_word_embeddings="yes")
configuration("huge-window", attn={**config["attn"], "window_size": 2**60})
write_config(good_weights("config-not-json"), "vocab_size: 256\n")
write_config(good_weights("config-list"), "[]")

# ---- The tokenizer.
path = good_weights("bad-tokenizer")
write_config(path)
with open(os.path.join(path, "tokenizer.model"), "wb") as file:
    file.write(b"this is no SentencePiece model")
