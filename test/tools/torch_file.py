"""Files of torch.save with nothing but the standard library: the same ZIP entries, the same pickle instructions."""
import collections
import io
import pickle
import struct
import zlib

STORAGES = {"F32": "FloatStorage", "BF16": "BFloat16Storage", "F16": "HalfStorage", "F64": "DoubleStorage",
            "I64": "LongStorage", "I32": "IntStorage"}


def reference(module, name):
    """A stand-in that is pickled as a reference to that object."""
    return type(name, (), {"__module__": module, "__qualname__": name})


REBUILD = reference("torch._utils", "_rebuild_tensor_v2")


class Storage:
    def __init__(self, dtype, data, key=None, count=None):
        self.dtype, self.data, self.key = dtype, data, key
        size = {"F32": 4, "BF16": 2, "F16": 2, "F64": 8, "I64": 8, "I32": 4}[dtype]
        self.count = len(data) // size if count is None else count


class Tensor:
    """A view of a storage. Without strides it is contiguous."""

    def __init__(self, storage, shape, offset=0, strides=None):
        if strides is None:
            strides, step = [], 1
            for size in reversed(shape):
                strides.insert(0, step)
                step *= max(size, 1)
        self.storage, self.shape, self.offset, self.strides = storage, tuple(shape), offset, tuple(strides)

    def __reduce__(self):
        arguments = (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict())
        return REBUILD, arguments


class _Pickler(pickle._Pickler):  # the one written in Python, whose methods can be replaced
    def __init__(self, file, storages, protocol=2):
        super().__init__(file, protocol)
        self.storages, self.classes = storages, {}

    def save_global(self, value, name=None):
        """Without looking whether there is such an object."""
        self.write(f"c{value.__module__}\n{value.__qualname__}\n".encode())
        self.memoize(value)

    dispatch = pickle._Pickler.dispatch | {type: save_global}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value.key is None:
            value.key = str(len(self.storages))
        self.storages.setdefault(value.key, value.data)
        return ("storage", self.classes.setdefault(value.dtype, reference("torch", STORAGES[value.dtype])), value.key, "cpu", value.count)


def dump(value, protocol=2):
    """The pickle, and the bytes of the storages by key."""
    file, storages = io.BytesIO(), {}
    _Pickler(file, storages, protocol).dump(value)
    return file.getvalue(), storages


class Zip:
    """Entries as PyTorch writes them: stored, data at multiples of 64 bytes. What a field says can be overridden."""

    def __init__(self):
        self.data, self.directory, self.count = bytearray(), bytearray(), 0

    def add(self, name, data, *, method=0, flags=0, size=None, local=None, local_name=None, wide=False):
        """`wide`: sizes and place as 64-bit fields, as files of more than 4 GiB have them."""
        name = name.encode()
        local_name = name if local_name is None else local_name.encode()
        size = len(data) if size is None else size
        checksum = zlib.crc32(data)
        where = len(self.data) if local is None else local
        padding = -(len(self.data) + 30 + len(local_name) + 4) % 64
        if local is None:
            self.data += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, flags, method, 0, 0, checksum, len(data), len(data),
                                     len(local_name), padding + 4)
            self.data += local_name + struct.pack("<HH", 0x4246, padding) + b"Z" * padding + data
        packed, extra = len(data), b""
        if wide:
            extra = struct.pack("<HHHHQQQ", 0x4246, 0, 1, 24, size, packed, where)
            size = packed = where = 0xFFFFFFFF
        self.directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, flags, method, 0, 0, checksum, packed,
                                      size, len(name), len(extra), 0, 0, 0, 0, where) + name + extra
        self.count += 1

    def bytes(self, *, comment=b"", wide=False):
        count, end = self.count, len(self.data) + len(self.directory)
        if wide:
            end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(self.directory),
                                len(self.data)) + struct.pack("<IIQI", 0x07064B50, 0, end, 1)
            return bytes(self.data + self.directory) + end64 + struct.pack(
                "<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(self.directory), len(self.data),
                          len(comment))
        return bytes(self.data + self.directory) + end + comment


def archive(data_pkl, storages, *, folder="archive", order=b"little", wide=False):
    zip_file = Zip()
    zip_file.add(f"{folder}/data.pkl", data_pkl, wide=wide)
    zip_file.add(f"{folder}/byteorder", order)
    for key, data in storages.items():
        zip_file.add(f"{folder}/data/{key}", data, wide=wide)
    zip_file.add(f"{folder}/version", b"3\n")
    return zip_file


def save(path, value, wide=False):
    with open(path, "wb") as file:
        file.write(archive(*dump(value), wide=wide).bytes(wide=wide))
