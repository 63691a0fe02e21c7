"""A checkpoint that both samba-compile and its rivals read: the family jamba without experts, whose layers are those of
SAMBA (a mixer, Mamba and attention in turn, and an MLP), except that attention has no window and no rotation. Random
weights; the same ones as a Hugging Face directory and as GGUF."""
import json
import os

import numpy

# Sizes as in SPEC section 1.1; heads of 128.
SHAPES = {
    "tiny": dict(layers=4, hidden=256, mlp=512, heads=2, vocabulary=1000),
    "421M": dict(layers=12, hidden=1536, mlp=4096, heads=12, vocabulary=32000),
    "1.3B": dict(layers=18, hidden=2304, mlp=6144, heads=18, vocabulary=32000),
}
STATE, CONV = 16, 4


def config(shape):
    s = SHAPES[shape]
    return {
        "model_type": "jamba", "architectures": ["JambaForCausalLM"], "vocab_size": s["vocabulary"],
        "hidden_size": s["hidden"], "intermediate_size": s["mlp"], "num_hidden_layers": s["layers"],
        "num_attention_heads": s["heads"], "num_key_value_heads": s["heads"], "attn_layer_period": 2,
        "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1, "num_experts": 1,
        "num_experts_per_tok": 1, "mamba_d_state": STATE, "mamba_d_conv": CONV, "mamba_expand": 2,
        "mamba_dt_rank": s["hidden"] // 16, "mamba_conv_bias": True, "mamba_proj_bias": False, "hidden_act": "silu",
        "rms_norm_eps": 1e-5, "max_position_embeddings": 4096, "tie_word_embeddings": True, "bos_token_id": 1,
        "eos_token_id": 2, "pad_token_id": 0, "use_mamba_kernels": False, "torch_dtype": "float32",
    }  # fmt: skip


def tensors(shape):
    """Yields (name, values): matrices that bfloat16 holds exactly, so that f32 and bf16 are of the same model."""
    s, random = SHAPES[shape], numpy.random.default_rng(1)
    d, inner, rank = s["hidden"], 2 * s["hidden"], s["hidden"] // 16

    def matrix(rows, columns, scale=1.0):
        values = random.standard_normal((rows, columns), dtype=numpy.float32) * numpy.float32(scale / columns**0.5)
        return (values.view(numpy.uint32) & 0xFFFF0000).view(numpy.float32)

    ones = lambda n: numpy.ones(n, numpy.float32)  # noqa: E731
    yield "model.embed_tokens.weight", matrix(s["vocabulary"], d)
    yield "model.final_layernorm.weight", ones(d)
    for layer in range(s["layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", ones(d)
        yield prefix + "pre_ff_layernorm.weight", ones(d)
        for name, rows, columns in ("gate", s["mlp"], d), ("up", s["mlp"], d), ("down", d, s["mlp"]):
            yield f"{prefix}feed_forward.{name}_proj.weight", matrix(rows, columns)
        if layer % 2:
            for name in "qkvo":
                yield f"{prefix}self_attn.{name}_proj.weight", matrix(d, d)
            continue
        mamba = prefix + "mamba."
        yield mamba + "in_proj.weight", matrix(2 * inner, d)
        yield mamba + "conv1d.weight", matrix(inner, CONV).reshape(inner, 1, CONV)
        yield mamba + "conv1d.bias", numpy.zeros(inner, numpy.float32)
        yield mamba + "x_proj.weight", matrix(rank + 2 * STATE, inner)
        yield mamba + "dt_proj.weight", matrix(inner, rank)
        # Steps of 0.001 to 0.1 after softplus, as trained models have them.
        steps = numpy.exp(random.uniform(numpy.log(1e-3), numpy.log(1e-1), inner))
        yield mamba + "dt_proj.bias", numpy.log(numpy.expm1(steps)).astype(numpy.float32)
        yield mamba + "A_log", numpy.log(numpy.tile(numpy.arange(1, STATE + 1, dtype=numpy.float32), (inner, 1)))
        yield mamba + "D", ones(inner)
        yield mamba + "out_proj.weight", matrix(d, inner)
        for name, size in ("dt", rank), ("b", STATE), ("c", STATE):
            yield f"{mamba}{name}_layernorm.weight", ones(size)


def write_hugging_face(shape, folder):
    from safetensors.numpy import save_file

    os.makedirs(folder, exist_ok=True)
    save_file(dict(tensors(shape)), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config(shape), file, indent=1)


def write_gguf(shape, path):
    """In f32; llama.cpp makes its other formats from it."""
    import gguf

    s, d = SHAPES[shape], SHAPES[shape]["hidden"]
    names = gguf.TensorNameMap(gguf.MODEL_ARCH.JAMBA, s["layers"])
    writer = gguf.GGUFWriter(path, "jamba")
    writer.add_context_length(4096)
    writer.add_block_count(s["layers"])
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(s["mlp"])
    writer.add_head_count(s["heads"])
    writer.add_head_count_kv([s["heads"] * (layer % 2) for layer in range(s["layers"])])
    writer.add_ssm_conv_kernel(CONV)
    writer.add_ssm_inner_size(2 * d)
    writer.add_ssm_state_size(STATE)
    writer.add_ssm_time_step_rank(d // 16)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_expert_count(0)
    writer.add_expert_used_count(0)
    writer.add_vocab_size(s["vocabulary"])
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, values in tensors(shape):
        if name.endswith(".A_log"):
            values = -numpy.exp(values)
        if name.endswith("conv1d.weight"):
            values = values.reshape(-1, CONV)
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new, name
        writer.add_tensor(new, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
