"""Colours of families of layers and of changes, the same in every picture of a graph."""

from typing import NamedTuple


class Color(NamedTuple):
    """The colour of a box: of its inside and of its edge, on a light background and on a dark one."""

    fill: str
    edge: str
    dark_fill: str
    dark_edge: str


_BLUE = Color("#e3eefc", "#2f6fc4", "#152a45", "#6ea8f5")
_GREEN = Color("#e2f4e6", "#2d8a4a", "#14301d", "#63c883")
_ORANGE = Color("#fdeedd", "#c2700f", "#3a2610", "#f0a550")
_PURPLE = Color("#efe8fb", "#7a4fc0", "#291d42", "#b391f2")
_PINK = Color("#fce6f0", "#c03a7a", "#3d1729", "#f17fb3")
_TEAL = Color("#dcf3f3", "#14807f", "#0e2f30", "#4fc7c5")
_YELLOW = Color("#fbf3d3", "#937708", "#332b0c", "#dcbb3f")
_GREY = Color("#eef0f3", "#5c6573", "#22272f", "#9aa4b2")
_RED = Color("#fde6e4", "#c0392b", "#3f1916", "#f2857a")

FAMILIES = {
    "input": _GREY,
    "attention": _PINK,
    "categories": _YELLOW,
    "convolution": _BLUE,
    "core": _GREY,
    "dense": _PURPLE,
    "elementwise": _GREY,
    "image": _YELLOW,
    "lookup": _YELLOW,
    "merge": _TEAL,
    "normalization": _GREEN,
    "pooling": _ORANGE,
    "recurrent": _PINK,
    "reshape": _TEAL,
    "spectrogram": _YELLOW,
    "wrapper": _PURPLE,
    "model": _GREY,
    "operation": _TEAL,
    "removed": _RED,
    "own": _YELLOW,
}
"""The colour of each family of layers."""

CHANGES = {"added": _GREEN, "removed": _RED, "config": _ORANGE, "weights": _BLUE, "config, weights": _PURPLE}
"""The colour of each change of a layer; unchanged ones are grey."""

UNCHANGED = _GREY


def color_of(family: str, change: str, compared: bool) -> Color:
    """The colour of a layer: by its family, or by its change where two models were compared."""
    return CHANGES.get(change, UNCHANGED) if compared else FAMILIES[family]
