"""What the measuring scripts share: a folder for models, the name of the machine, and where results go."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "CPU")


@contextlib.contextmanager
def models_folder(keep):
    """`keep`, or a folder that is gone afterwards."""
    folder = keep or tempfile.mkdtemp()
    os.makedirs(folder, exist_ok=True)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


def store(name, kind, result, **texts):
    """Writes results/NAME-KIND.json and .SUFFIX for each of the texts, and puts the tables into the documentation."""
    for suffix, text in {"json": json.dumps(result, indent=1) + "\n", **texts}.items():
        with open(os.path.join(HERE, "results", f"{name}-{kind}.{suffix}"), "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run([os.path.join(HERE, "update-docs.sh"), name], check=True)
