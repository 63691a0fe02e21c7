"""Files of torch.save that are broken or malicious in one way each: bad_torch_files.py OUT_DIR"""
import collections
import os
import pickle
import struct
import sys

import torch_file
from torch_file import Storage, Tensor, Zip

out = sys.argv[1]
os.makedirs(out, exist_ok=True)


def write(name, data):
    with open(os.path.join(out, name + ".pth"), "wb") as file:
        file.write(data)


def save(name, value, **options):
    write(name, torch_file.archive(*torch_file.dump(value), **options).bytes())


def four(key=None, count=None, size=16):
    return Storage("F32", bytes(size), key, count)


good = torch_file.archive(*torch_file.dump({"w": Tensor(four(), [2, 2])})).bytes()
pickled, storages = torch_file.dump({"w": Tensor(four(), [2, 2])})

# The ZIP file.
write("cut", good[:-30])
write("cut-more", good[: len(good) // 2])
write("head-only", good[:4])
write("comment-lies", good[:-2] + b"\x05\x00")
write("moved-directory", good[:-6] + struct.pack("<I", 2**31) + good[-2:])
write("too-many-entries", good[:-14] + struct.pack("<HH", 60000, 60000) + good[-10:])
write("two-disks", good[:-18] + struct.pack("<HH", 1, 1) + good[-14:])
write("not-torch", (lambda z: (z.add("a.txt", b"text"), z.bytes())[1])(Zip()))
for name, options in {
    "compressed": {"method": 8},
    "encrypted": {"flags": 1},
    "bomb": {"method": 8, "size": 2**31},
    "stored-bomb": {"size": 2**31},
    "absurd-size": {"size": 0xFFFFFFFF},
    "local-outside": {"local": 2**31},
    "local-nothing": {"local": 7},
    "other-name": {"local_name": "archive/data/1"},
    "local-of-other": {"local": 0},
}.items():
    zip_file = Zip()
    zip_file.add("archive/data.pkl", pickled)
    zip_file.add("archive/data/0", bytes(16), **options)
    write(name, zip_file.bytes())
zip_file = Zip()
zip_file.add("archive/data.pkl", pickled)
zip_file.add("archive/data/0", bytes(16))
zip_file.add("archive/data/0", bytes(16))
write("twice", zip_file.bytes())
# 64-bit fields that lie.
wide = torch_file.archive(pickled, storages, wide=True).bytes(wide=True)
write("wide-locator", wide[:-34] + struct.pack("<Q", 2**60) + wide[-26:])
write("wide-no-record", good[:-12] + b"\xff" * 8 + good[-4:-2] + good[-2:])
huge = bytearray(wide)
at = huge.rindex(b"archive/data/0") + len("archive/data/0") + 8
huge[at : at + 8] = struct.pack("<Q", 2**63)
write("wide-size", bytes(huge))
huge[at : at + 16] = struct.pack("<QQ", 2**63, 2**63)
write("wide-sizes", bytes(huge))
huge[at + 16 : at + 24] = struct.pack("<Q", 2**64 - 8)
write("wide-place", bytes(huge))
# Two names for the same bytes.
zip_file = Zip()
zip_file.add("archive/data.pkl", pickled)
zip_file.add("archive/data/0", bytes(16))
zip_file.directory += zip_file.directory[-60:].replace(b"data/0", b"data/1")
zip_file.count += 1
write("shared-bytes", zip_file.bytes())
# An entry inside another.
inner = Zip()
inner.add("archive/data/1", bytes(16))
zip_file = torch_file.archive(pickled, {"0": bytes(inner.data)})
zip_file.add("archive/data/1", bytes(16), local=bytes(zip_file.data).index(bytes(inner.data)))
write("overlap", zip_file.bytes())
zip_file = torch_file.archive(pickled, storages)
zip_file.add("other/data.pkl", pickled)
write("two-pickles", zip_file.bytes())
save("big-endian", {"w": Tensor(four(), [2, 2])}, order=b"big")

# The pickle.
class Bad:
    def __reduce__(self):
        return torch_file.reference("os", "system"), ("touch " + os.path.join(out, "executed"),)


save("executes", {"w": Tensor(four(), [2, 2]), "x": Bad()})
write("protocol", torch_file.archive(*torch_file.dump({"w": Tensor(four(), [2, 2])}, protocol=4)).bytes())
cyclic = {}
cyclic["model"] = cyclic
save("cyclic", cyclic)
itself = []
itself.append(itself)
save("cyclic-list", {"model": {"w": itself}})
save("no-tensors", {"iter_num": 3})
save("a-list", [Tensor(four(), [2, 2])])
save("names", {"model": {3: Tensor(four(), [2, 2])}})
write("many", torch_file.archive(b"\x80\x02" + b"N" * (3 << 20) + b".", {}).bytes())
write("huge-text", torch_file.archive(b"\x80\x02X\xff\xff\xff\xff.", {}).bytes())
write("deep", torch_file.archive(b"\x80\x02" + b"(" * 500000 + b"t" * 500000 + b".", {}).bytes())
write("nested", torch_file.archive(b"\x80\x02)" + b"\x85" * 1000000 + b".", {}).bytes())

# The tensors.
save("text", {"model": {"w": "text"}})
save("transposed", {"w": Tensor(four(), [2, 2], strides=[1, 2])})
save("strided", {"w": Tensor(four(), [2, 1], strides=[2, 1])})
save("expanded", {"w": Tensor(four(), [2**40], strides=[0])})
save("absurd-shape", {"w": Tensor(four(), [2**32, 2**32])})
save("negative-size", {"w": Tensor(four(), [-2, 2])})
save("negative-offset", {"w": Tensor(four(), [2, 2], offset=-1)})
save("outside", {"w": Tensor(four(), [2, 2], offset=1)})
save("far-outside", {"w": Tensor(four(), [1], offset=2**62)})
save("rank", {"w": Tensor(four(), [1] * 9)})
save("no-stride", {"w": Tensor(four(), [2, 2], strides=[1])})
save("short-storage", {"w": Tensor(four(count=8), [2, 2])})
save("absurd-storage", {"w": Tensor(four(count=2**62), [2, 2])})
save("path", {"w": Tensor(four(key="../data.pkl"), [2, 2])})
write("no-storage", torch_file.archive(pickled, {}).bytes())
