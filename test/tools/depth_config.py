"""Prints the config.json of a narrow model of that many layers, Mamba and attention in turn: depth_config.py LAYERS."""
import json
import sys

layers = int(sys.argv[1])
print(json.dumps({
    "model_type": "samba",
    "hidden_size": 32,
    "num_hidden_layers": layers,
    "vocab_size": 64,
    "hidden_ratio": 4,
    "tie_word_embeddings": True,
    "attn": {"layers": list(range(1, layers, 2)), "num_heads": 2, "num_kv_heads": 1, "window_size": 16},
}))
