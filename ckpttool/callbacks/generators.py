"""The states of the random number generators of the process, which data and layers may draw from: that of Python, that
of NumPy, and on PyTorch its own.

On PyTorch, Dropout without a seed draws from torch's generator (`dropout`, keras/src/backend/torch/random.py, 3.15),
and so do its data where they are shuffled. States are kept as text, for a manifest holds them, and may come from a
stranger: whatever is no state of such a generator is none.
"""

import base64
import binascii
import random
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ckpttool.escape import printable

_WORDS = 624  # of a Mersenne twister
_TWISTER = struct.Struct(f"<{_WORDS}II?d")  # its words, the place in them, whether a number is left over, and which
_MAX_BYTES = 1 << 16  # those of torch have 5,056, those of cuda 16


def states() -> dict[str, str]:
    """The states of the generators, by their names."""
    found = {name: read() for name, (read, _) in _GENERATORS.items()}
    torch = _torch()
    if torch is not None:
        found["torch"] = torch.get_rng_state().numpy().tobytes()
        for number in range(torch.cuda.device_count()):
            found[f"cuda:{number}"] = torch.cuda.get_rng_state(number).numpy().tobytes()
    return {name: _as_text(state) for name, state in found.items()}


def bring_back(known: Mapping[str, str]) -> None:
    """Gives the generators the states that they had; warns of those that are none, or for which there is none here."""
    strange = sorted(name for name, text in known.items() if not _bring_back(name, text))
    if strange:
        warnings.warn(
            f"The random numbers of {', '.join(map(printable, strange[:3]))} begin anew: what is known of them is no "
            "state of such a generator on this machine.",
            stacklevel=2,
        )


def _bring_back(name: str, text: str) -> bool:
    """Whether a generator was given its state."""
    write = _GENERATORS[name][1] if name in _GENERATORS else _writer_of_torch(name)
    try:
        if write is not None:
            write(_from_text(text))
        return write is not None
    except (ValueError, TypeError, RuntimeError, struct.error, zlib.error):
        return False


def _as_text(state: bytes) -> str:
    return base64.b64encode(zlib.compress(state, 6)).decode("ascii")


def _from_text(text: str) -> bytes:
    """The bytes of a text, no more than a state has. Raises ValueError."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MAX_BYTES)
    except binascii.Error as error:
        raise ValueError("no state") from error


def _of_python() -> bytes:
    _, (*words, place), left = random.getstate()
    return _TWISTER.pack(*words, place, left is not None, left or 0.0)


def _to_python(state: bytes) -> None:
    words, place, has_left, left = _twister(state)
    random.setstate((3, (*words, place), left if has_left else None))


def _of_numpy() -> bytes:
    _, words, place, has_left, left = np.random.get_state(legacy=True)
    return _TWISTER.pack(*map(int, words), int(place), bool(has_left), float(left))


def _to_numpy(state: bytes) -> None:
    words, place, has_left, left = _twister(state)
    np.random.set_state(("MT19937", np.array(words, np.uint32), place, int(has_left), left))


def _twister(state: bytes) -> tuple[tuple[int, ...], int, bool, float]:
    """The words, the place and what is left over of a Mersenne twister; a place beyond its words NumPy would read."""
    *words, place, has_left, left = _TWISTER.unpack(state)
    if place > _WORDS or not any(words):
        raise ValueError("no state")
    return tuple(words), place, has_left, left


_GENERATORS: Mapping[str, tuple[Callable[[], bytes], Callable[[bytes], None]]] = {
    "python": (_of_python, _to_python),
    "numpy": (_of_numpy, _to_numpy),
}


def _torch() -> Any:
    """The module, where it is in use."""
    return sys.modules.get("torch")


def _writer_of_torch(name: str) -> Callable[[bytes], None] | None:
    torch = _torch()
    if torch is None:
        return None
    if name == "torch":
        return lambda state: torch.set_rng_state(_tensor(state))
    kind, _, number = name.partition(":")
    if kind != "cuda" or not number.isdecimal() or int(number) >= torch.cuda.device_count():
        return None
    return lambda state: torch.cuda.set_rng_state(_tensor(state), int(number))


def _tensor(state: bytes) -> Any:
    return _torch().frombuffer(bytearray(state), dtype=_torch().uint8)
