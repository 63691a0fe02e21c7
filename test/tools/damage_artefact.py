"""Damages a copy of a compiled model: damage_artefact.py INPUT OUTPUT HOW [NUMBER].

flip-SECTION     one bit in the middle of a section: code, weights, tokenizer, manifest, gpu, gpu_weights
flip-footer N    one bit of byte N of the footer
flip-byte N      one bit of byte N of the file
cut N            the last N bytes are missing
version N        the footer has version N of the format
"""
import struct
import sys

FOOTER = "<8sIIQ18QQ"  # struct samba_footer: magic, version, flags, file size, 6 sections, checksum
SECTIONS = ["code", "weights", "tokenizer", "manifest", "gpu", "gpu_weights"]

source, output, how, *number = sys.argv[1:]
with open(source, "rb") as file:
    data = bytearray(file.read())
footer = len(data) - struct.calcsize(FOOTER)
number = int(number[0]) if number else 0

if how == "cut":
    data = data[: len(data) - number]
elif how == "version":
    struct.pack_into("<I", data, footer + 8, number)
elif how == "flip-footer":
    data[footer + number] ^= 1
elif how == "flip-byte":
    data[number] ^= 1
elif how.startswith("flip-"):
    index = SECTIONS.index(how[len("flip-") :])
    offset, size, _ = struct.unpack_from(FOOTER, data, footer)[4 + 3 * index :][:3]
    data[offset + size // 2] ^= 1
else:
    sys.exit(__doc__)

with open(output, "wb") as file:
    file.write(data)
