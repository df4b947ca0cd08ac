"""The check of a file that was just written: read with ckpttool's own reader, and compared byte by byte."""

import math
import warnings
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ckpttool.checkpoint import BLOCK_BYTES, Section, Weight
from ckpttool.errors import CorruptFileError, NotFiniteError
from ckpttool.escape import printable
from ckpttool.formats import open_checkpoint
from ckpttool.io import dtypes
from ckpttool.verification.loadability import reasons_against_loading

if TYPE_CHECKING:
    import numpy as np

    from ckpttool.callbacks.snapshot import Snapshot


def check_content(path: Path, snapshot: "Snapshot") -> None:
    """Compare a file with the snapshot that it was written from. Raises CorruptFileError where they differ, and
    NotFiniteError where the model has NaN or Inf."""
    with open_checkpoint(path) as checkpoint:
        if set(checkpoint) != set(snapshot.weights):
            odd = sorted(set(checkpoint) ^ set(snapshot.weights))
            raise _differs(odd[0], "the same weights as in the model", f"{len(odd):,} others")
        for name, expected in snapshot.weights.items():
            stored = checkpoint[name]
            if (stored.shape, stored.dtype) != (expected.shape, expected.dtype):
                raise _differs(name, f"{expected.dtype}{expected.shape}", f"{stored.dtype}{stored.shape}")
            is_models = stored.section in (Section.MODEL, Section.OTHER)
            _check_values(stored, expected, is_models, name in snapshot.trained)


def warn_unless_loadable(path: Path, name: Path, backend: str) -> None:
    """Warn where Keras would not load a file on a backend because of the model; the weights themselves are safe."""
    with open_checkpoint(path) as checkpoint:
        why = reasons_against_loading(checkpoint, backend=backend)
    if why:
        more = f" (and {len(why) - 1:,} more reasons)" if why[1:] else ""
        warnings.warn(f"Keras would not load {name} as it is saved: {printable(why[0])}{more}", stacklevel=2)


def check_finite(path: Path) -> None:
    """Raise NotFiniteError where the weights of the model in a file have NaN, a CheckpointError where the file cannot
    be read."""
    with open_checkpoint(path) as checkpoint:
        for weight in (*checkpoint.section(Section.MODEL), *checkpoint.section(Section.OTHER)):
            if _is_float(weight):
                for block in weight.stored_blocks():
                    _screen(weight, block, trained=False)


def _check_values(stored: Weight, expected: Weight, is_models: bool, trained: bool) -> None:
    screened = is_models and _is_float(expected)
    for there, here in zip_longest(_blocks(stored), _blocks(expected)):
        if there is None or here is None or not _equal(there, here):
            raise _differs(expected.path, "the values that the model has", "others")
        if screened:
            _screen(expected, here, trained)


def _blocks(weight: Weight) -> Iterator[bytes | bytearray | memoryview]:
    """The stored bytes in blocks that are cut at the same places in every source."""
    return weight.stored_blocks(BLOCK_BYTES)


def _is_float(weight: Weight) -> bool:
    return "float" in weight.dtype or "complex" in weight.dtype


def _equal(a: bytes | bytearray | memoryview, b: bytes | bytearray | memoryview) -> bool:
    import numpy as np

    if len(a) != len(b):
        return False
    kind = np.uint64 if len(a) % 8 == 0 else np.uint8
    return bool((np.frombuffer(a, kind) == np.frombuffer(b, kind)).all())


def _screen(weight: Weight, block: bytes | bytearray | memoryview, trained: bool) -> None:
    """Raise NotFiniteError for NaN, and for Inf in a trained weight: an untrained one, such as a mask, may have it."""
    import numpy as np

    values = dtypes.values_of(block, weight.dtype, big_endian=False)
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(abs(values.sum())):  # the usual case: a NaN or Inf would be in the sum
            return
        for test, name in ((np.isnan, "NaN"), (np.isinf, "Inf")):
            count = _count(values, test) if name == "NaN" or trained else 0
            if count:
                raise NotFiniteError(
                    f"the model has become {name}", where=weight.path, found=f"{count:,} values in a row"
                )


def _count(values: "np.ndarray", test: Callable[["np.ndarray"], "np.ndarray"]) -> int:
    return int(test(values).sum())


def _differs(where: str, expected: str, stored: str) -> CorruptFileError:
    return CorruptFileError(
        "the file differs from the model that it was written from",
        where=where,
        expected=expected,
        found=stored,
        hint="check the disk and the memory of this machine; no older checkpoint was replaced",
    )
