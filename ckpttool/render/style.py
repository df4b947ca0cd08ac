"""Style of the outputs, and the phrases and numbers that all outputs share."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from ckpttool.escape import printable

if TYPE_CHECKING:
    from ckpttool.checkpoint import Producer

_LAST_TIME = 1 << 36  # the year 4147
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Style(NamedTuple):
    """The user's choices of style: one row a layer, a tree, at most `depth` names deep, the `top` rows, colour, and
    histograms as bars of text."""

    layers: bool = False
    tree: bool = False
    depth: int | None = None
    top: int | None = None
    color: bool = False
    sparklines: bool = False


def count_of(number: int, noun: str) -> str:
    """A number with its noun, for people: `1 weight`, `1,024 weights`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def size(nbytes: int) -> str:
    """A number of bytes for people, with three digits: `1.27 MiB`."""
    value, unit = float(nbytes), 0
    while value >= 1023.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return (
        f"{nbytes} B" if not unit else f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {_UNITS[unit]}"
    )


def short_paths(a: PurePath, b: PurePath) -> tuple[str, str]:
    """The names of two files; of files of the same name as much of their paths as tells them apart."""
    ours, theirs = a.parts, b.parts
    for count in range(1, max(len(ours), len(theirs)) + 1):
        if ours[-count:] != theirs[-count:]:
            return str(PurePath(*ours[-count:])), str(PurePath(*theirs[-count:]))
    return a.name, b.name


def shape(dims: tuple[int | None, ...]) -> str:
    """A shape as NumPy writes it; an axis of any size is None."""
    return f"({dims[0]},)" if len(dims) == 1 else f"({', '.join(map(str, dims))})"


def date(seconds: float | None) -> str:
    """A time since 1970 as a date, empty where it is none."""
    if seconds is None or not 0 < seconds < _LAST_TIME:
        return ""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def number(value: float | None) -> str:
    """A statistic in four digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def producer(who: Producer) -> str:
    """The producer of a checkpoint in short: Keras by version or generation, backend, TensorFlow for a SavedModel."""
    tensorflow = f"TensorFlow {printable(who.tensorflow_version, 40)}" if who.tensorflow_version else ""
    if not who.keras_version and not who.generation:
        return tensorflow
    if who.keras_version:
        name = f"Keras {printable(who.keras_version, 40)}"
    else:
        name = printable(who.generation.split(" (")[0], 40)
        name = f"{name} by its layout" if name and not who.inferred_backend else name
    backend = printable(who.backend or "", 40)
    if not backend and who.inferred_backend:
        backend = f"{who.inferred_backend} by its weight names"
    backend = tensorflow or backend
    return f"{name} on {backend}" if name and backend else name or backend


def pretty_layer(name: str, inferred: bool) -> str:
    """The name of a layer; `~` in front where the file does not store it."""
    return f"~{name}" if inferred and name else name or "(model)"
