"""Engines that run the whole model, one process each: `python engines.py ENGINE FILE THREADS` reads requests from
standard input and answers each with a line of JSON.

    {"prompt": N}     seconds for a fresh sequence of N tokens, logits of the last one
    {"generate": N}   seconds for N tokens, one step each, behind those of the last prompt
    {"logits": IDS}   the logits behind these tokens
"""
import ctypes
import json
import os
import sys
import time

import numpy


def ids(count, vocabulary, seed):
    return [int(i) for i in numpy.random.default_rng(seed).integers(3, vocabulary, count)]


class Samba:
    def __init__(self, path, threads):
        import samba

        self.model = samba.Model(path, threads=threads)
        self.vocabulary, self.session = self.model.vocab_size, self.model.session()

    def reset(self):
        self.session.reset()

    def feed(self, tokens):
        return self.session.feed(tokens)[0]


class LlamaCpp:
    def __init__(self, path, threads):
        import llama_cpp

        self.api = llama_cpp
        silent = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(silent, ctypes.c_void_p())
        self.silent = silent
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = 2048, 512, 512
        parameters.n_threads = parameters.n_threads_batch = threads
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise RuntimeError("llama.cpp does not load " + path)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def reset(self):
        self.api.llama_memory_clear(self.api.llama_get_memory(self.context), True)

    def feed(self, tokens):
        # A batch of one sequence; the logits of its last token.
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        if self.api.llama_decode(self.context, self.api.llama_batch_get_one(array, len(tokens))):
            raise RuntimeError("llama_decode failed")
        row = self.api.llama_get_logits_ith(self.context, -1)
        return numpy.ctypeslib.as_array(row, (self.vocabulary,))


class Torch:
    """The implementation of the transformers library, without compiled kernels of its own for a CPU."""

    def __init__(self, path, threads, dtype):
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        self.torch = torch
        self.model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=getattr(torch, dtype)).eval()
        self.vocabulary, self.cache = self.model.config.vocab_size, None

    def reset(self):
        self.cache = None

    def feed(self, tokens):
        with self.torch.inference_mode():
            start = self.cache.get_seq_length() if self.cache is not None else 0
            position = self.torch.arange(start, start + len(tokens))
            out = self.model(self.torch.tensor([tokens]), past_key_values=self.cache, use_cache=True,
                             cache_position=position, logits_to_keep=1)  # fmt: skip
            self.cache = out.past_key_values
            return out.logits[0, -1].float().numpy()


def open_engine(name, path, threads):
    if name == "samba-mlir":
        return Samba(path, threads)
    if name == "llama.cpp":
        return LlamaCpp(path, threads)
    return Torch(path, threads, {"f32": "float32", "bf16": "bfloat16"}[name.split()[-1]])


def quantize(source, target, kind):
    """llama.cpp's own conversion between its formats."""
    import llama_cpp

    silent = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p())
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.pure = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + kind), True
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)):
        raise RuntimeError(f"llama.cpp does not make {kind}")


def main():
    name, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    engine = open_engine(name, path, threads)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "logits" in request:
            engine.reset()
            answer = [float(value) for value in engine.feed(request["logits"])]
        elif "prompt" in request:
            tokens = ids(request["prompt"], engine.vocabulary, 0)
            engine.reset()
            start = time.perf_counter()
            for first in range(0, len(tokens), 512):
                engine.feed(tokens[first : first + 512])
            answer = time.perf_counter() - start
        else:
            tokens = ids(request["generate"], engine.vocabulary, 1)
            start = time.perf_counter()
            for token in tokens:
                engine.feed([token])
            answer = time.perf_counter() - start
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
