"""Safetensors files with nothing but the standard library."""
import array
import json
import struct


def split(path):
    """The header and the data of a file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length)), file.read()


def join(path, header, data):
    """Writes a file. A header of bytes is written as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """Name -> (shape, values) of the F32 and I32 tensors of a file."""
    header, data = split(path)
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            values = array.array({"F32": "f", "I32": "i"}[entry["dtype"]])
            values.frombytes(data[slice(*entry["data_offsets"])])
            tensors[name] = (entry["shape"], values)
    return tensors
