"""The states of the process's random generators, from which data and layers may draw: Python's, NumPy's, PyTorch's.

On PyTorch, Dropout without a seed draws from torch's generator (`dropout`, keras/src/backend/torch/random.py, 3.15),
and so do data that are shuffled. A manifest stores the states as texts. These may come from a stranger, so that every
text is checked before it becomes the state of a generator.
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

_VECTOR_SIZE = 624  # numbers in the state of a Mersenne twister
_TWISTER = struct.Struct(f"<{_VECTOR_SIZE}II?d")  # numbers, position, whether a normal deviate is left over, and which
_MAX_BYTES = 1 << 16  # of a state: those of torch have 5,056, those of cuda 16


def states() -> dict[str, str]:
    """The states of all generators as texts, by their names."""
    read_states = {name: read() for name, (read, _) in _GENERATORS.items()}
    torch = _torch()
    if torch is not None:
        read_states["torch"] = torch.get_rng_state().numpy().tobytes()
        for number in range(torch.cuda.device_count()):
            read_states[f"cuda:{number}"] = torch.cuda.get_rng_state(number).numpy().tobytes()
    return {name: _as_text(state) for name, state in read_states.items()}


def restore(known: Mapping[str, str]) -> None:
    """Restore the states of the generators; warn of states that are invalid, or whose generator is not here."""
    strange = sorted(name for name, text in known.items() if not _restored(name, text))
    if strange:
        warnings.warn(
            f"The random numbers of {', '.join(map(printable, strange[:3]))} begin anew: the manifest has no valid "
            "state of such a generator on this machine.",
            stacklevel=2,
        )


def _restored(name: str, text: str) -> bool:
    """Restore the state of one generator; False where the state is invalid or there is no such generator."""
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
    """The bytes of a state in a text, `_MAX_BYTES` at most. Raises ValueError."""
    try:
        return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _MAX_BYTES)
    except binascii.Error as error:
        raise ValueError("no state") from error


def _of_python() -> bytes:
    _, (*vector, position), leftover = random.getstate()
    return _TWISTER.pack(*vector, position, leftover is not None, leftover or 0.0)


def _to_python(state: bytes) -> None:
    vector, position, has_leftover, leftover = _twister(state)
    random.setstate((3, (*vector, position), leftover if has_leftover else None))


def _of_numpy() -> bytes:
    _, vector, position, has_leftover, leftover = np.random.get_state(legacy=True)
    return _TWISTER.pack(*map(int, vector), int(position), bool(has_leftover), float(leftover))


def _to_numpy(state: bytes) -> None:
    vector, position, has_leftover, leftover = _twister(state)
    np.random.set_state(("MT19937", np.array(vector, np.uint32), position, int(has_leftover), leftover))


def _twister(state: bytes) -> tuple[tuple[int, ...], int, bool, float]:
    """The vector, the position in it and the left-over number of a Mersenne twister. Raises ValueError.

    NumPy does not check the position, and would read memory behind the vector.
    """
    *vector, position, has_leftover, leftover = _TWISTER.unpack(state)
    if position > _VECTOR_SIZE or not any(vector):
        raise ValueError("no state")
    return tuple(vector), position, has_leftover, leftover


_GENERATORS: Mapping[str, tuple[Callable[[], bytes], Callable[[bytes], None]]] = {
    "python": (_of_python, _to_python),
    "numpy": (_of_numpy, _to_numpy),
}


def _torch() -> Any:
    """The module torch, None where it is not imported."""
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
