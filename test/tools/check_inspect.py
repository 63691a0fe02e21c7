"""check_inspect.py MODEL_DIR...: for each model, what `samba-inspect --json` says of the checkpoint agrees with what
samba-compile plans for it in each precision."""
import json
import re
import subprocess
import sys

models = sys.argv[1:]


def inspect(path):
    return json.loads(subprocess.run(["samba-inspect", "--json", path], check=True, capture_output=True).stdout)


def planned(model, precision):
    """The module's attributes after the phase that gives weights and states their places."""
    command = ["samba-compile", model, "--compile-to=schedule", "--quiet", "--precision=" + precision]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {name: int(re.search(rf"\b{name} = (\d+)", text)[1])
            for name in ("samba.weight_bytes", "samba.state_bytes", "parameters")}


for model in models:
    checkpoint = inspect(model)
    parameters = dict(checkpoint["parameters"])
    total = parameters.pop("total")
    assert sum(parameters.values()) == total, model
    assert checkpoint["refused"] == [], checkpoint["refused"]
    assert [entry["precision"] for entry in checkpoint["precisions"]] == ["f32", "bf16", "int8", "int4"]
    for entry in checkpoint["precisions"]:
        plan = planned(model, entry["precision"])
        for name, found in (("samba.weight_bytes", entry["weight_bytes"]),
                            ("samba.state_bytes", entry["state_bytes"]), ("parameters", total)):
            if found != plan[name]:
                sys.exit(f"{model}, {entry['precision']}: {name}: inspected {found}, planned {plan[name]}")
        assert entry["precision"] != "f32" or entry["state_bytes"] == checkpoint["state_bytes"]
        assert entry["kv"] == ("f32" if entry["precision"] == "f32" else "bf16")
        reads = entry["weights_read"]
        assert 0 < reads <= entry["weight_bytes"] * 1.2, (model, entry)
        assert entry["bytes_per_token"] == reads + entry["state_moved"] + entry["other_bytes"]
