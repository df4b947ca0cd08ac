"""Initializers when they make a weight: what their constructors take and TensorFlow does not (keras/src/initializers,
3.15)."""

from collections.abc import Mapping
from typing import Any

from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.table import row_of
from ckpttool.model.buildability.values import Layer, Object
from ckpttool.model.sizes import Shape

_NUMBERS = ("gain", "maxval", "mean", "minval", "scale", "stddev")
_AXES = ("input_axes", "output_axes")
_RANKS = {"Identity": (2, 2), "Orthogonal": (2, None)}


def check_initializers(layer: Layer, shapes: Mapping[str, Shape | None], context: Context) -> None:
    """Raises Refused for an initializer that does not make the weight that it is for."""
    for argument, value in layer.arguments.items():
        row = row_of(value.place) if isinstance(value, Object) else None
        if row is None or row.kind != "initializer":
            continue
        start = argument.removesuffix("_initializer")
        ranks = [len(shape) for path, shape in shapes.items() if shape and path.rpartition("/")[2].startswith(start)]
        why = _unusable(value, ranks) if ranks else ""
        if why:
            raise context.refused(layer.class_name, argument, f"{value.class_name}: {why}")


def _unusable(initializer: Object, ranks: list[int]) -> str:
    """Why an initializer makes no weight with so many axes."""
    arguments = initializer.arguments
    least, most = _RANKS.get(initializer.class_name, (0, None))
    wrong = next((rank for rank in ranks if rank < least or (most is not None and rank > most)), None)
    if wrong is not None:
        return f"it makes no weight of {wrong} axes"
    for key in _NUMBERS:
        if not isinstance(arguments.get(key, 0), int | float):
            return f"{key} is {shown(arguments[key])}; Keras takes a number"
    axes = [key for key in _AXES if arguments.get(key) is not None]
    for key in axes if axes == list(_AXES) else ():  # Keras looks at both or at none
        if not _are_axes(arguments[key]):
            return f"{key} is {shown(arguments[key])}; Keras takes whole numbers"
    if isinstance(arguments.get("seed"), bool):
        return f"seed is {shown(arguments['seed'])}; Keras takes a whole number or null"
    value = arguments.get("value", 0)
    return f"value is {shown(value)}; Keras takes numbers" if value is None or isinstance(value, str | dict) else ""


def _are_axes(value: Any) -> bool:
    every = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(item, int) for item in every)
