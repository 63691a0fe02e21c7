"""One product of a matrix of weights, as libraries do it: `python products.py LIBRARY THREADS` answers each line
{"rows": M, "inner": K, "columns": N, "dtype": "f32"|"bf16"} on standard input with the seconds of a product, the median of
many, or with null where the library has no such product. Weights are constants, so a library may pack them."""
import json
import os
import statistics
import sys
import time

import numpy


def torch_product(threads, compiled=False):
    import torch

    torch.set_num_threads(threads)

    def make(x, weights, dtype):
        kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
        return [one(x, w, kind) for w in weights]

    def one(x, w, kind):
        layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=kind)
        layer.weight = torch.nn.Parameter(torch.tensor(w, dtype=kind), requires_grad=False)
        x, run = torch.tensor(x, dtype=kind), torch.compile(layer) if compiled else layer

        def product():
            with torch.inference_mode():
                return run(x)

        return product

    return make


def onnxruntime_product(threads):
    import onnx
    import onnxruntime

    def make(x, weights, dtype):
        return [one(x, w) for w in weights] if dtype == "f32" else None

    def one(x, w):
        node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
        value = lambda name, shape: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)  # noqa: E731
        graph = onnx.helper.make_graph([node], "product", [value("x", x.shape)], [value("y", (len(x), len(w)))],
                                       [onnx.numpy_helper.from_array(numpy.ascontiguousarray(w.T), "w")])  # fmt: skip
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})

    return make


def openvino_product(threads):
    import openvino
    from openvino import opset13

    core = openvino.Core()

    def make(x, weights, dtype):
        return [one(x, w, dtype) for w in weights]

    def one(x, w, dtype):
        parameter = opset13.parameter(x.shape, numpy.float32)
        model = openvino.Model([opset13.matmul(parameter, opset13.constant(w), False, True)], [parameter])
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": dtype, "PERFORMANCE_HINT": "LATENCY",
        })  # fmt: skip
        request = compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
        # The tensor does not keep its memory alive.
        return lambda kept=x: request.infer()

    return make


def iree_product(threads):
    import iree.compiler
    import iree.runtime

    def make(x, weights, dtype):
        (m, k), n, t = x.shape, len(weights[0]), dtype
        # Weights are an argument that stays on the device.
        source = f"""func.func @product(%x: tensor<{m}x{k}x{t}>, %w: tensor<{k}x{n}x{t}>) -> tensor<{m}x{n}xf32> {{
          %zero = arith.constant 0.0 : f32
          %empty = tensor.empty() : tensor<{m}x{n}xf32>
          %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
          %y = linalg.matmul ins(%x, %w : tensor<{m}x{k}x{t}>, tensor<{k}x{n}x{t}>)
                             outs(%init : tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
          return %y : tensor<{m}x{n}xf32> }}"""
        binary = iree.compiler.compile_str(source, target_backends=["llvm-cpu"],
                                           extra_args=["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3"])  # fmt: skip
        device = iree.runtime.get_device("local-task" if threads > 1 else "local-sync")
        config = iree.runtime.Config(device=device)
        context = iree.runtime.SystemContext(config=config)
        context.add_vm_module(iree.runtime.VmModule.copy_buffer(config.vm_instance, binary))
        if dtype == "bf16":
            import ml_dtypes

            x, weights = x.astype(ml_dtypes.bfloat16), [w.astype(ml_dtypes.bfloat16) for w in weights]
        a = iree.runtime.asdevicearray(device, x)
        function = context.modules.module["product"]

        def one(w):
            b = iree.runtime.asdevicearray(device, numpy.ascontiguousarray(w.T))
            return lambda: function(a, b).to_host()

        return [one(w) for w in weights]

    return make


LIBRARIES = {
    "PyTorch": torch_product,
    "PyTorch compiled": lambda threads: torch_product(threads, compiled=True),
    "ONNX Runtime": onnxruntime_product,
    "OpenVINO": openvino_product,
    "IREE": iree_product,
}


def make_products(make, rows, inner, columns, dtype):
    """With as many different weights as do not fit the cache if there is one row: a model does not find them there."""
    random = numpy.random.default_rng(0)
    x = random.standard_normal((rows, inner), dtype=numpy.float32)
    copies = 1 if rows > 1 else min(16, 1 + (256 << 20) // (columns * inner * {"f32": 4, "bf16": 2}[dtype]))
    return make(x, [random.standard_normal((columns, inner), dtype=numpy.float32) for _ in range(copies)], dtype)


def measure(products):
    for run in products[:2]:
        run()
    times, end = [], time.perf_counter() + 0.5
    while len(times) < 5 or time.perf_counter() < end:
        run = products[len(times) % len(products)]
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make = LIBRARIES[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    made = {}
    for line in sys.stdin:
        if line not in made:
            made[line] = make_products(make, **json.loads(line))
        print(json.dumps(measure(made[line]) if made[line] else None), file=answers, flush=True)


if __name__ == "__main__":
    main()
