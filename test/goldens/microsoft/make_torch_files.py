"""Makes the checkpoints of the tests that only PyTorch itself can write. Needs torch; the tests do not.

make_torch_files.py SOURCE_DIR

* test/goldens/microsoft/tiny-a.pth: tiny-a in the layout of microsoft/Samba, as its training code saves it, with the
  state of the optimizer.
* test/unit/frontend/Inputs/views.pth, old.pth: tensors of all kinds; the format before PyTorch 1.6.
"""
import os
import sys

import torch

source = sys.argv[1]
sys.path.insert(0, os.path.join(source, "test", "tools"))
import microsoft_checkpoint

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


class Holder(torch.nn.Module):
    """A tree of modules with the parameters of these names: its state dict is the model's."""

    def insert(self, name, tensor):
        module, *rest = name.split(".", 1)
        if not rest:
            self.register_parameter(module, torch.nn.Parameter(tensor))
            return
        if not hasattr(self, module):
            self.add_module(module, Holder())
        getattr(self, module).insert(rest[0], tensor)


model = Holder()
for name, (dtype, shape, data) in microsoft_checkpoint.convert(os.path.join(source, "test/goldens/tiny-a")).items():
    model.insert(name, torch.frombuffer(bytearray(data), dtype=DTYPES[dtype]).reshape(shape))
# Moments of the norms alone: what they are does not matter, and the file stays small.
norms = [parameter for name, parameter in model.named_parameters() if parameter.dim() == 1]
optimizer = torch.optim.AdamW(norms, lr=4e-4, betas=(0.9, 0.95), weight_decay=0.1)
state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
         "hparams": {"model_name": "tiny-a", "learning_rate": 4e-4, "max_tokens": int(1e11) // 5}, "iter_num": 512,
         "step_count": 1}
for parameter in norms:
    parameter.grad = torch.zeros_like(parameter)
frozen = {name: tensor.clone() for name, tensor in state["model"].items()}
optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["weight_decay"] = 0.0
optimizer.step()
for name, tensor in model.state_dict().items():
    assert torch.equal(tensor, frozen[name])
state["optimizer"] = optimizer.state_dict()
torch.save(state, os.path.join(source, "test/goldens/microsoft/tiny-a.pth"))

inputs = os.path.join(source, "test/unit/frontend/Inputs")
matrix = torch.arange(6, dtype=torch.float32).reshape(2, 3)
torch.save({"f32": matrix, "row": matrix[1], "bf16": torch.tensor([1.0, -2.0], dtype=torch.bfloat16),
            "f16": torch.tensor([0.5, -0.25], dtype=torch.float16), "scalar": torch.tensor(7.0),
            "empty": torch.empty(0, 3), "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
            "f64": torch.tensor([1.0], dtype=torch.float64), "i64": torch.tensor([1, 2])},
           os.path.join(inputs, "views.pth"))
torch.save({"t": torch.zeros(1)}, os.path.join(inputs, "old.pth"), _use_new_zipfile_serialization=False)
torch.save({"transposed": matrix.t()}, os.path.join(inputs, "transposed.pth"))
