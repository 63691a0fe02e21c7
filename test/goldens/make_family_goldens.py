"""Golden data of the Hugging Face families: tiny random checkpoints, and what the families' own code makes of them.

usage: make_family_goldens.py OUTPUT_FOLDER [NAME...]

Needs PyTorch and transformers (4.46 was used). Everything is computed in float64: wherever the library asks for
float32 (norms, softmax, rotary angles, the scan) it gets float64. The weights are exact in the type they are stored in.
The layout of golden.safetensors is that of the other folders: tokens, logits, a greedy continuation with its margins,
hidden values after each layer, and the states of Mamba layers after the last token."""
import json
import os
import struct
import sys
import types

import numpy as np
import torch
import transformers

torch.set_default_dtype(torch.float64)
torch.float32 = torch.float64
torch.Tensor.float = torch.Tensor.double
if not hasattr(torch, "_dynamo"):  # older than what the library's caches are written for
    torch._dynamo = types.SimpleNamespace(mark_static_address=lambda tensor: None)

GREEDY = 32
LENGTH = 40
MARGIN = 0.02

MODELS = {
    # dt rank 3, a vocabulary that is a multiple of 8 (see tiny-mamba-ssm)
    "tiny-mamba": (transformers.MambaForCausalLM, transformers.MambaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=3, state_size=8, time_step_rank=3, expand=2, conv_kernel=4,
        bos_token_id=0, eos_token_id=0, pad_token_id=0)),
    # biases of the projections, none of the convolution; an inner width that expand does not give
    "tiny-falcon-mamba": (transformers.FalconMambaForCausalLM, transformers.FalconMambaConfig(
        vocab_size=61, hidden_size=32, num_hidden_layers=2, state_size=8, time_step_rank=5, expand=16,
        intermediate_size=48, use_bias=True, use_conv_bias=False, tie_word_embeddings=False, mixer_rms_eps=1e-6,
        bos_token_id=0, eos_token_id=11, pad_token_id=11)),
    # a window, grouped heads, and heads that together are wider than the model
    "tiny-mistral": (transformers.MistralForCausalLM, transformers.MistralConfig(
        vocab_size=61, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=12, sliding_window=8, rms_norm_eps=1e-5, rope_theta=10000.0,
        max_position_embeddings=512)),
    # full attention, biases of all projections, tied
    "tiny-llama": (transformers.LlamaForCausalLM, transformers.LlamaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=1, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_theta=500000.0,
        max_position_embeddings=128)),
    # biases of q, k and v only
    "tiny-qwen2": (transformers.Qwen2ForCausalLM, transformers.Qwen2Config(
        vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, use_sliding_window=False, rope_theta=1e6, max_position_embeddings=128,
        tie_word_embeddings=False)),
    # three Mamba layers and one of attention, without experts
    "tiny-jamba": (transformers.JambaForCausalLM, transformers.JambaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, num_experts=1, num_experts_per_tok=1, attn_layer_period=4, attn_layer_offset=1,
        expert_layer_period=2, expert_layer_offset=1, mamba_d_state=8, mamba_d_conv=4, mamba_expand=2, mamba_dt_rank=4,
        use_mamba_kernels=False, tie_word_embeddings=False, max_position_embeddings=128)),
}
IN_BF16 = {"tiny-mamba", "tiny-falcon-mamba", "tiny-mistral", "tiny-jamba"}

DTYPES = {"F32": np.dtype("<f4"), "I32": np.dtype("<i4")}


def bf16_bits(x):
    bits = x.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def save(path, tensors, metadata):
    """`tensors`: name -> array; float64 is stored as F32, a pair (bits, "BF16") as it is."""
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        value = tensors[name]
        dtype, raw = ("BF16", value[0]) if isinstance(value, tuple) else ("I32", value.astype("<i4")) \
            if value.dtype.kind == "i" else ("F32", value.astype("<f4"))
        blob = raw.tobytes()
        header[name] = {"dtype": dtype, "shape": list(raw.shape), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def fill(model, seed):
    """Weights that let every tensor matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            if name.endswith("A_log"):
                p.copy_(torch.log(torch.arange(1, p.shape[1] + 1).double()).repeat(p.shape[0], 1) + 0.2 * noise)
            elif name.endswith(".D") or (p.dim() == 1 and "norm" in name):
                p.copy_(1 + 0.2 * noise)
            elif name.endswith("dt_proj.bias"):
                p.copy_(-3 + noise)
            elif name.endswith("bias"):
                p.copy_(0.2 * noise)
            elif "conv1d" in name:
                p.copy_(0.5 * noise)
            elif "embed" in name or "lm_head" in name:
                p.copy_(noise * (2 / p.shape[1] ** 0.5))
            else:
                p.copy_(noise / p.shape[1] ** 0.5 * (2 if "q_proj" in name or "k_proj" in name else 1))
            p.copy_(torch.from_numpy(p.numpy().astype("<f4").astype("<f8")))


def logits_of(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens]), use_cache=False).logits[0]


def greedy(model, tokens):
    tokens, margins = list(tokens), []
    for _ in range(GREEDY):
        best = torch.topk(logits_of(model, tokens)[-1], 2)
        margins.append(float(best.values[0] - best.values[1]))
        tokens.append(int(best.indices[0]))
    return tokens[-GREEDY:], margins


def body_of(model):
    return model.backbone if hasattr(model, "backbone") else model.model


def golden(model, tokens):
    body, result, hooks = body_of(model), {}, []

    def record(name):
        def hook(module, inputs, output):
            result[name] = (output[0] if isinstance(output, tuple) else output)[0].numpy().copy()
        return hook

    norm = next(getattr(body, n) for n in ("norm_f", "norm", "final_layernorm") if hasattr(body, n))
    embeddings = body.embeddings if hasattr(body, "embeddings") else body.embed_tokens
    hooks.append(embeddings.register_forward_hook(record("hidden/embeddings")))
    hooks.append(norm.register_forward_hook(record("hidden/norm_f")))
    for number, layer in enumerate(body.layers):
        hooks.append(layer.register_forward_hook(record(f"hidden/layer{number}")))
        mixer = getattr(layer, "mixer", getattr(layer, "mamba", None))
        if mixer is not None:
            hooks.append(mixer.in_proj.register_forward_hook(record(f"in/{number}")))
    with torch.no_grad():
        result["logits"] = model(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
    for hook in hooks:
        hook.remove()
    for number, layer in enumerate(body.layers):
        mixer = getattr(layer, "mixer", getattr(layer, "mamba", None))
        if mixer is not None:
            inner, taps = mixer.conv1d.weight.shape[0], mixer.conv1d.weight.shape[2]
            result[f"state/layer{number}/conv"] = result.pop(f"in/{number}")[1 - taps:, :inner]
    if any(name.startswith("state/") for name in result):
        arguments = {"use_cache": True}
        if isinstance(model, transformers.JambaForCausalLM):
            from transformers.models.jamba.modeling_jamba import HybridMambaAttentionDynamicCache
            arguments["past_key_values"] = HybridMambaAttentionDynamicCache(model.config, 1, dtype=torch.float64)
        with torch.no_grad():
            cached = model(torch.tensor([tokens]), **arguments)
        cache = cached.get("cache_params") or cached.get("past_key_values")
        for number in range(len(body.layers)):
            if f"state/layer{number}/conv" in result:
                result[f"state/layer{number}/ssm"] = cache.ssm_states[number][0].numpy()
    result["tokens"] = np.array(tokens)
    result["hidden_positions"] = np.array(sorted(set(range(0, len(tokens), 8)) | {len(tokens) - 1}))
    for name in list(result):
        if name.startswith("hidden/"):
            result[name] = result[name][result["hidden_positions"]]
    chosen, margins = greedy(model, tokens)
    result["greedy"], result["greedy_margin"] = np.array(chosen), np.array(margins)
    return result


def stored_tensors(model):
    tensors = {name: p.numpy().copy() for name, p in model.state_dict().items() if not name.endswith("inv_freq")}
    if model.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    return tensors


def make(folder, name):
    kind, config = MODELS[name]
    out = os.path.join(folder, name)
    os.makedirs(out, exist_ok=True)
    config._attn_implementation = "eager"
    seed = 1
    while True:  # the first seed whose greedy choices all have a clear winner
        torch.manual_seed(seed)
        model = kind(config).double().eval()
        fill(model, seed)
        model.tie_weights()
        tokens = torch.randint(0, config.vocab_size, (LENGTH,), generator=torch.Generator().manual_seed(seed)).tolist()
        if min(greedy(model, tokens)[1]) > MARGIN:
            break
        seed += 1
    config.architectures, config.torch_dtype = [kind.__name__], "float32"
    config.to_json_file(os.path.join(out, "config.json"))
    tensors = stored_tensors(model)
    save(os.path.join(out, "model.safetensors"), tensors, {"format": "pt"})
    result = golden(model, tokens)
    save(os.path.join(out, "golden.safetensors"), result, {"computed_in": "float64"})
    print(f"{name}: seed {seed}, logit deviation {result['logits'].std():.2f}, least margin "
          f"{result['greedy_margin'].min():.3f}, {len(set(result['greedy'].tolist()))} different greedy tokens")
    if name == "tiny-mamba":
        state_spaces_layout(folder, config, tensors)
    if name in IN_BF16:
        bits = {tensor: bf16_bits(value) for tensor, value in tensors.items()}
        save(os.path.join(out, "model-bf16.safetensors"), {t: (b, "BF16") for t, b in bits.items()}, {"format": "pt"})
        rounded = {t: torch.from_numpy((b.astype("<u4") << 16).view("<f4").astype("<f8")) for t, b in bits.items()}
        missing, surplus = model.load_state_dict(rounded, strict=False)
        assert not surplus and all(m == "lm_head.weight" or m.endswith("inv_freq") for m in missing), (missing, surplus)
        model.tie_weights()
        chosen, margins = greedy(model, tokens)
        save(os.path.join(out, "golden-bf16.safetensors"),
             {"tokens": np.array(tokens), "logits": logits_of(model, tokens).numpy(), "greedy": np.array(chosen),
              "greedy_margin": np.array(margins)}, {"computed_in": "float64"})
        print(f"  in bf16: least margin {min(margins):.4f}")


def state_spaces_layout(folder, config, tensors):
    """The same weights as the original mamba_ssm package names them; it stores the tied head, too, and pads the
    vocabulary."""
    out = os.path.join(folder, "tiny-mamba-ssm")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as file:
        json.dump({"d_model": config.hidden_size, "n_layer": config.num_hidden_layers, "vocab_size": 61,
                   "ssm_cfg": {"d_state": 8, "dt_rank": 3}, "rms_norm": True, "residual_in_fp32": True,
                   "fused_add_norm": True, "pad_vocab_size_multiple": 8}, file, indent=2)
        file.write("\n")
    renamed = {name.replace("backbone.embeddings", "backbone.embedding"): value for name, value in tensors.items()}
    renamed["lm_head.weight"] = renamed["backbone.embedding.weight"]
    save(os.path.join(out, "model.safetensors"), renamed, {"format": "pt"})


if __name__ == "__main__":
    for wanted in sys.argv[2:] or MODELS:
        make(sys.argv[1], wanted)
