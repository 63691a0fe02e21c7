# Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The samba runtime from Python: compiled models, sessions, sampling. One file, standard library only.

    import samba
    model = samba.Model("model.so")
    for text in model.generate("Call me Ishmael.", n=64):
        print(text, end="", flush=True)

The library is found beside this file, by the environment variable SAMBA_LIBRARY, or by the system's search. Meaning and
errors are those of samba/samba.h; a failed call raises Error with the library's message.

Logits come as rows, memoryviews of vocab_size floats; numpy.asarray(row) looks at the same memory.
"""

import array
import ctypes
import ctypes.util
import json
import os
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

__all__ = ["Detokenizer", "Error", "Model", "Sampler", "Scheduler", "Session", "version"]

_STATUS = [
    "OK", "IO", "FORMAT", "ABI", "CPU", "ARGUMENT", "CONTEXT_FULL", "MEMORY", "LIMIT", "TOKENIZER", "NUMERIC",
    "INTERNAL", "MISMATCH", "DEVICE", "TEMPLATE",
]  # fmt: skip
_LIMIT = 8


class Error(Exception):
    """A failed call; `status` is the name of its samba_status, "CONTEXT_FULL"."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = _STATUS[status] if status < len(_STATUS) else str(status)


class _Options(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("threads", c_int32), ("verify_weights", c_int32), ("chunk", c_int64),
                ("device", c_char_p), ("check_device", c_int32)]


class _Segment(ctypes.Structure):
    _fields_ = [("session", c_void_p), ("tokens", POINTER(c_int32)), ("count", c_size_t)]


class _Ready(ctypes.Structure):
    _fields_ = [("session", c_void_p), ("logits", POINTER(c_float))]


class _Chosen(ctypes.Structure):
    _fields_ = [("session", c_void_p), ("token", c_int32)]


class _Sampling(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t),
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repeat_penalty", c_float),
        ("repeat_window", c_int32),
        ("seed", c_uint64),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
    ]


# Functions that return a status, and others, with their arguments.
_CHECKED = {
    "samba_open": [c_char_p, POINTER(_Options), POINTER(c_void_p)],
    "samba_device_counters": [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)],
    "samba_session_create": [c_void_p, POINTER(c_void_p)],
    "samba_session_copy": [c_void_p, c_void_p],
    "samba_session_fork": [c_void_p, POINTER(c_void_p)],
    "samba_session_mark": [c_void_p],
    "samba_session_rollback": [c_void_p, c_int64],
    "samba_session_serialize": [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)],
    "samba_session_deserialize": [c_void_p, c_void_p, c_size_t, POINTER(c_void_p)],
    "samba_session_attach": [c_void_p, c_char_p, c_size_t],
    "samba_session_save": [c_void_p, c_char_p],
    "samba_session_load": [c_void_p, c_char_p, POINTER(c_void_p)],
    "samba_evaluate_last": [c_void_p, POINTER(_Segment), c_size_t, POINTER(c_size_t), POINTER(c_float), c_size_t],
    "samba_evaluate_greedy": [c_void_p, POINTER(_Segment), c_size_t, POINTER(c_size_t), POINTER(c_int32), c_size_t],
    "samba_scheduler_create": [c_void_p, c_int64, POINTER(c_void_p)],
    "samba_scheduler_feed": [c_void_p, c_void_p, POINTER(c_int32), c_size_t],
    "samba_scheduler_step": [c_void_p, POINTER(POINTER(_Ready)), POINTER(c_size_t)],
    "samba_scheduler_step_greedy": [c_void_p, POINTER(POINTER(_Chosen)), POINTER(c_size_t)],
    "samba_tokenize": [c_void_p, c_char_p, c_size_t, c_int, POINTER(c_int32), c_size_t, POINTER(c_size_t)],
    "samba_detokenize": [c_void_p, POINTER(c_int32), c_size_t, c_char_p, c_size_t, POINTER(c_size_t)],
    "samba_render_chat": [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t, POINTER(c_size_t)],
    "samba_detokenizer_create": [c_void_p, POINTER(c_void_p)],
    "samba_detokenizer_push": [c_void_p, c_int32, POINTER(c_char_p), POINTER(c_size_t)],
    "samba_detokenizer_finish": [c_void_p, POINTER(c_char_p), POINTER(c_size_t)],
    "samba_sampler_create": [POINTER(_Sampling), POINTER(c_void_p)],
    "samba_sampler_accept": [c_void_p, c_int32],
    "samba_sampler_reseed": [c_void_p, c_uint64],
    "samba_sampler_serialize": [c_void_p, c_void_p, c_size_t, POINTER(c_size_t)],
    "samba_sampler_restore": [c_void_p, c_char_p, c_size_t],
    "samba_sampler_bias": [c_void_p, c_int32, c_float],
    "samba_sampler_sample": [c_void_p, POINTER(c_float), c_size_t, POINTER(c_int32)],
    "samba_sampler_probabilities": [c_void_p, POINTER(c_float), c_size_t, POINTER(c_float)],
}
_PLAIN = {
    "samba_version": (c_char_p, []),
    "samba_abi_version": (c_uint32, []),
    "samba_last_error": (c_char_p, []),
    "samba_close": (None, [c_void_p]),
    "samba_manifest": (c_char_p, [c_void_p]),
    "samba_model_name": (c_char_p, [c_void_p]),
    "samba_device": (c_char_p, [c_void_p]),
    "samba_cpu": (c_char_p, [c_void_p]),
    "samba_vocab_size": (c_int32, [c_void_p]),
    "samba_max_context": (c_int64, [c_void_p]),
    "samba_max_rollback": (c_int64, [c_void_p]),
    "samba_bos_token": (c_int32, [c_void_p]),
    "samba_eos_token": (c_int32, [c_void_p]),
    "samba_fingerprint": (c_uint64, [c_void_p]),
    "samba_saved_bytes": (c_size_t, [c_void_p]),
    "samba_state_bytes": (c_size_t, [c_void_p]),
    "samba_session_free": (None, [c_void_p]),
    "samba_is_end_token": (c_int, [c_void_p, c_int32]),
    "samba_chat_template": (c_char_p, [c_void_p]),
    "samba_session_reset": (None, [c_void_p]),
    "samba_session_position": (c_int64, [c_void_p]),
    "samba_session_note": (c_int64, [c_void_p]),
    "samba_session_attachment": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "samba_session_set_note": (None, [c_void_p, c_int64]),
    "samba_session_forget_marks": (None, [c_void_p]),
    "samba_session_state": (c_void_p, [c_void_p]),
    "samba_scheduler_free": (None, [c_void_p]),
    "samba_scheduler_remove": (None, [c_void_p, c_void_p]),
    "samba_detokenizer_free": (None, [c_void_p]),
    "samba_sampler_free": (None, [c_void_p]),
}


def _find_library():
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libsamba.so")
    named = os.environ.get("SAMBA_LIBRARY")
    return named or (beside if os.path.exists(beside) else ctypes.util.find_library("samba") or "libsamba.so")


def _load():
    library = ctypes.CDLL(_find_library())
    for name, arguments in _CHECKED.items():
        function = getattr(library, name)
        function.restype, function.argtypes, function.errcheck = c_int, arguments, _check
    for name, (result, arguments) in _PLAIN.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check(status, function, arguments):
    if status != 0:
        raise Error(status, _c.samba_last_error().decode("utf-8", "replace"))
    return status


_c = _load()


def version():
    """The version of the library, "0.1.0"."""
    return _c.samba_version().decode()


def _create(function, *arguments):
    handle = c_void_p()
    function(*arguments, byref(handle))
    return handle


def _tokens(ids):
    ids = array.array("i", ids)
    return (c_int32 * len(ids)).from_buffer(ids)


def _floats(row):
    """A row of logits as a pointer and a length. Rows of this module are not copied."""
    try:
        view = memoryview(row)
    except TypeError:
        view = memoryview(array.array("f", row))
    if view.format != "f" or view.ndim != 1 or not view.c_contiguous or view.readonly:
        view = memoryview(array.array("f", view.tolist()))
    return (c_float * len(view)).from_buffer(view), len(view)


def _rows(buffer, width):
    view = memoryview(buffer).cast("B").cast("f")
    return [view[i : i + width] for i in range(0, len(view), width)]


class _Object:
    """Owns a handle and gives it back."""

    _free = None
    _handle = None

    def __del__(self):
        if self._handle:
            self._free(self._handle)
            self._handle = None


class Model(_Object):
    """An open compiled model."""

    _free = _c.samba_close

    def __init__(self, path, threads=0, chunk=0, verify_weights=False, device=None, check_device=False):
        """`device`: "cpu", "cuda", "cuda:N", "virtual" or None, as samba_options in samba.h says."""
        options = _Options(ctypes.sizeof(_Options), threads, int(verify_weights), chunk,
                           device.encode() if device is not None else None, int(check_device))
        self._handle = _create(_c.samba_open, os.fsencode(path), byref(options))
        self.manifest = json.loads(_c.samba_manifest(self._handle).decode())
        self.name = _c.samba_model_name(self._handle).decode()
        self.device = _c.samba_device(self._handle).decode()
        self.cpu = _c.samba_cpu(self._handle).decode()
        self.vocab_size = _c.samba_vocab_size(self._handle)
        self.fingerprint = _c.samba_fingerprint(self._handle)
        self.state_bytes = _c.samba_state_bytes(self._handle)
        self.max_context = self._or_none(_c.samba_max_context)
        self.max_rollback = self._or_none(_c.samba_max_rollback)
        self.bos = self._or_none(_c.samba_bos_token)
        self.eos = self._or_none(_c.samba_eos_token)

    def device_counters(self):
        """Of the virtual device: what each kernel did."""
        size = c_size_t()
        try:
            _c.samba_device_counters(self._handle, None, 0, byref(size))
        except Error as error:
            if error.status != _STATUS[_LIMIT]:
                raise
        text = ctypes.create_string_buffer(size.value)
        _c.samba_device_counters(self._handle, text, len(text), byref(size))
        return json.loads(text.value.decode())

    def _or_none(self, function):
        value = function(self._handle)
        return None if value < 0 else value

    @property
    def chat_template(self):
        """The text of the model's chat template, or None."""
        text = _c.samba_chat_template(self._handle)
        return None if text is None else text.decode()

    def is_end_token(self, token):
        """Whether it ends a text; a model may have several such tokens."""
        return bool(_c.samba_is_end_token(self._handle, token))

    def tokenize(self, text, special=True):
        """`special`: True adds begin and end ids as the model says, False adds none, and "parse" is for text of
        render_chat, in which names of special tokens are those tokens."""
        data, special = text.encode(), 2 if special == "parse" else int(special)
        count = c_size_t(len(data) + 8)
        while True:
            ids = (c_int32 * count.value)()
            try:
                _c.samba_tokenize(self._handle, data, len(data), special, ids, len(ids), byref(count))
                return list(ids[: count.value])
            except Error as error:
                if error.status != _STATUS[_LIMIT]:
                    raise

    def _text(self, size, call, *arguments):
        """What a call writes that is told how much room there is and tells how much it needs."""
        size = c_size_t(size)
        while True:
            text = ctypes.create_string_buffer(size.value)
            try:
                call(self._handle, *arguments, text, len(text), byref(size))
                return text.raw[: size.value].decode("utf-8", "replace")
            except Error as error:
                if error.status != _STATUS[_LIMIT]:
                    raise

    def detokenize(self, ids):
        ids = _tokens(ids)
        return self._text(8 * len(ids) + 8, _c.samba_detokenize, ids, len(ids))

    def render_chat(self, messages, template=None, **variables):
        """The text of a conversation, [{"role": ..., "content": ...}, ...], by the model's chat template or another one.
        Further variables as for samba_render_chat in samba.h, like add_generation_prompt=False."""
        template = None if template is None else template.encode()
        data = json.dumps({"messages": messages, **variables}).encode()
        return self._text(1 << 12, _c.samba_render_chat, template, data)

    def session(self):
        """A fresh sequence."""
        return Session(self, _create(_c.samba_session_create, self._handle))

    def load(self, path):
        """A saved session."""
        return Session(self, _create(_c.samba_session_load, self._handle, os.fsencode(path)))

    def loads(self, data):
        """A session from Session.dumps()."""
        return Session(self, _create(_c.samba_session_deserialize, self._handle, bytes(data), len(data)))

    def evaluate(self, segments, rows="last"):
        """Feeds [(session, ids), ...] in one go. `rows` is "last", "all", "none", or the number of last ids of each
        segment whose logits are wanted. Returns the rows."""
        native, last, total = self._segments(segments, rows)
        logits = (c_float * (total * self.vocab_size))()
        _c.samba_evaluate_last(self._handle, native, len(native), last, logits, len(logits))
        return _rows(logits, self.vocab_size)

    def evaluate_greedy(self, segments, rows="last"):
        """The same, with the token that a greedy sampler would choose by each row; -1 where all logits are NaN."""
        native, last, total = self._segments(segments, rows)
        tokens = (c_int32 * total)()
        _c.samba_evaluate_greedy(self._handle, native, len(native), last, tokens, total)
        return list(tokens)

    def _segments(self, segments, rows):
        """For C: segments, how many rows of each are wanted, and of all."""
        segments = list(segments)
        buffers = [_tokens(ids) for _, ids in segments]
        if isinstance(rows, str):
            wanted = {"none": lambda n: 0, "last": lambda n: min(n, 1), "all": lambda n: n}[rows]
            rows = [wanted(len(ids)) for ids in buffers]
        native = (_Segment * len(segments))()
        for i, ((session, _), ids) in enumerate(zip(segments, buffers)):
            native[i] = _Segment(session._handle, ctypes.cast(ids, POINTER(c_int32)), len(ids))
        native.refers_to = segments, buffers  # which live as long
        return native, (c_size_t * len(segments))(*rows), sum(rows)

    def generate(self, prompt, n=128, session=None, stop_at_eos=True, **sampling):
        """Yields the text of at most n tokens after a prompt, text or ids, piece by piece. Keywords as for Sampler."""
        session = session or self.session()
        sampler, text = Sampler(**sampling), Detokenizer(self)
        ids = self.tokenize(prompt, special=session.position == 0) if isinstance(prompt, str) else list(prompt)
        for token in ids:
            sampler.accept(token)
            text.push(token)
        for _ in range(n):
            (logits,) = session.feed(ids)
            token = sampler.sample(logits)
            if stop_at_eos and self.is_end_token(token):
                break
            sampler.accept(token)
            piece = text.push(token)
            if piece:
                yield piece
            ids = [token]
        rest = text.finish()
        if rest:
            yield rest


class Session(_Object):
    """One sequence of a model; Model.session() makes it."""

    _free = _c.samba_session_free

    def __init__(self, model, handle):
        self.model, self._handle = model, handle

    @property
    def position(self):
        return _c.samba_session_position(self._handle)

    @property
    def note(self):
        return _c.samba_session_note(self._handle)

    @note.setter
    def note(self, value):
        _c.samba_session_set_note(self._handle, value)

    @property
    def attachment(self):
        """Bytes of one's own that are copied and saved with it; Sampler.dumps() gives some."""
        size = c_size_t()
        return ctypes.string_at(_c.samba_session_attachment(self._handle, byref(size)), size.value)

    @attachment.setter
    def attachment(self, value):
        _c.samba_session_attach(self._handle, value, len(value))

    def feed(self, ids, rows="last"):
        """Feeds ids; returns rows of logits."""
        return self.model.evaluate([(self, ids)], rows if isinstance(rows, str) else [rows])

    def feed_greedy(self, ids):
        """Feeds ids; returns the token that a greedy sampler would choose next."""
        return self.model.evaluate_greedy([(self, ids)])[0]

    def reset(self):
        _c.samba_session_reset(self._handle)

    def fork(self):
        """A copy that shares memory until one of the two changes it."""
        return Session(self.model, _create(_c.samba_session_fork, self._handle))

    def copy_from(self, other):
        _c.samba_session_copy(self._handle, other._handle)

    def mark(self):
        _c.samba_session_mark(self._handle)

    def rollback(self, tokens):
        _c.samba_session_rollback(self._handle, tokens)

    def forget_marks(self):
        _c.samba_session_forget_marks(self._handle)

    def save(self, path):
        _c.samba_session_save(self._handle, os.fsencode(path))

    def dumps(self):
        size = c_size_t()
        _c.samba_session_attachment(self._handle, byref(size))
        size.value += _c.samba_saved_bytes(self.model._handle)
        data = ctypes.create_string_buffer(size.value)
        _c.samba_session_serialize(self._handle, data, len(data), byref(size))
        return data.raw

    def state(self):
        """The bytes of the state, a copy."""
        return ctypes.string_at(_c.samba_session_state(self._handle), self.model.state_bytes)


class Sampler(_Object):
    """Chooses tokens. Keywords: temperature, top_k, top_p, min_p, repeat_penalty, repeat_window, seed, presence_penalty,
    frequency_penalty."""

    _free = _c.samba_sampler_free

    def __init__(self, **keywords):
        values = {"top_p": 1.0, "repeat_penalty": 1.0, "repeat_window": 64}
        unknown = set(keywords) - {name for name, _ in _Sampling._fields_[1:]}
        if unknown:
            raise TypeError("unknown sampling parameters: " + ", ".join(sorted(unknown)))
        sampling = _Sampling(size=ctypes.sizeof(_Sampling), **{**values, **keywords})
        self._handle = _create(_c.samba_sampler_create, byref(sampling))

    def reseed(self, seed):
        _c.samba_sampler_reseed(self._handle, seed)

    def dumps(self):
        """Its random numbers and the recent tokens, as bytes."""
        size = c_size_t(44 + 4 * 65536)  # with the longest window
        data = ctypes.create_string_buffer(size.value)
        _c.samba_sampler_serialize(self._handle, data, len(data), byref(size))
        return data.raw[: size.value]

    def restore(self, data):
        """Goes on from dumps()."""
        _c.samba_sampler_restore(self._handle, data, len(data))

    def accept(self, token):
        _c.samba_sampler_accept(self._handle, token)

    def bias(self, token, value):
        _c.samba_sampler_bias(self._handle, token, value)

    def sample(self, logits):
        pointer, count = _floats(logits)
        token = c_int32()
        _c.samba_sampler_sample(self._handle, pointer, count, byref(token))
        return token.value

    def probabilities(self, logits):
        pointer, count = _floats(logits)
        result = (c_float * count)()
        _c.samba_sampler_probabilities(self._handle, pointer, count, result)
        return _rows(result, count)[0]


class Detokenizer(_Object):
    """Ids to text, one at a time."""

    _free = _c.samba_detokenizer_free

    def __init__(self, model):
        self._handle = _create(_c.samba_detokenizer_create, model._handle)

    def _text(self, function, *arguments):
        text, size = c_char_p(), c_size_t()
        function(self._handle, *arguments, byref(text), byref(size))
        return ctypes.string_at(text, size.value).decode()

    def push(self, token):
        return self._text(_c.samba_detokenizer_push, token)

    def finish(self):
        return self._text(_c.samba_detokenizer_finish)


class Scheduler(_Object):
    """Many sequences, a bounded number of tokens at a time."""

    _free = _c.samba_scheduler_free

    def __init__(self, model, budget=0):
        self._model, self._sessions = model, {}
        self._handle = _create(_c.samba_scheduler_create, model._handle, budget)

    def feed(self, session, ids):
        ids = _tokens(ids)
        _c.samba_scheduler_feed(self._handle, session._handle, ids, len(ids))
        self._sessions[session._handle.value] = session

    def remove(self, session):
        _c.samba_scheduler_remove(self._handle, session._handle)
        self._sessions.pop(session._handle.value, None)

    def step(self):
        """Evaluates one step; returns [(session, logits), ...] of the sessions that have nothing queued any more."""
        ready, count = POINTER(_Ready)(), c_size_t()
        _c.samba_scheduler_step(self._handle, byref(ready), byref(count))
        width = self._model.vocab_size
        result = []
        for i in range(count.value):
            logits = array.array("f", ctypes.string_at(ready[i].logits, 4 * width))
            result.append((self._sessions.pop(ready[i].session), memoryview(logits)))
        return result

    def step_greedy(self):
        """The same, with the token that a greedy sampler would choose in place of the row; -1 if all logits are NaN."""
        chosen, count = POINTER(_Chosen)(), c_size_t()
        _c.samba_scheduler_step_greedy(self._handle, byref(chosen), byref(count))
        return [(self._sessions.pop(chosen[i].session), chosen[i].token) for i in range(count.value)]
