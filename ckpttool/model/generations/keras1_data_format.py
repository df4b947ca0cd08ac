"""The order of axes of layers of Keras 1 whose config does not say it: that of the layers beside them.

`get_config` of ZeroPadding, Cropping and UpSampling of 1.2.2 leaves `dim_ordering` out; Keras 1 then took what its user
had set, as it did for the other layers of the model, which write it. Before 0.3 there was one order, Theano's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH

UNTOLD = frozenset({f"{name}{rank}D" for name in ("Cropping", "UpSampling", "ZeroPadding") for rank in (2, 3)})
"""The classes that do not write it."""
_TOLD = frozenset({"AveragePooling2D", "Convolution2D", "MaxPooling2D"})
_HELD = ("config", "layer", "layers")


def ordered(entry: Any) -> Any:
    """An entry of Keras 0 or 1 with `dim_ordering` where all other layers in it have the same one."""
    told = {ordering for layer in _layers(entry, 0) for ordering in [_ordering(layer)] if ordering}
    return _with(entry, told.pop(), 0) if len(told) == 1 else entry


def _layers(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """What may be the entry of a layer, however deep."""
    if depth > 2 * MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _layers(item, depth)
    elif isinstance(value, Mapping):
        yield value
        for key in _HELD:
            yield from _layers(value.get(key), depth + 1)


def _class_of(entry: Mapping[str, Any]) -> Any:
    return entry.get("class_name", entry.get("name"))


def _ordering(entry: Mapping[str, Any]) -> str | None:
    """The order that a layer says, or that it had where Keras knew one only."""
    config = entry.get("config", entry)
    found = config.get("dim_ordering") if isinstance(config, Mapping) else None
    if found in ("th", "tf"):
        return str(found)
    name = _class_of(entry)
    return "th" if isinstance(name, str) and name in _TOLD and found is None and "inbound_nodes" not in entry else None


def _with(value: Any, ordering: str, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_with(item, ordering, depth) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _with(item, ordering, depth + 1) if key in _HELD else item for key, item in value.items()}
    name = _class_of(value)
    if not isinstance(name, str) or name not in UNTOLD:
        return found
    config = found.get("config")
    if isinstance(config, Mapping):
        return {**found, "config": {"dim_ordering": ordering, **config}}
    return found if "class_name" in found else {"dim_ordering": ordering, **found}
