"""The data format of layers of Keras 1 whose config lacks it: that of the other layers in the model.

`get_config` of ZeroPadding, Cropping and UpSampling of 1.2.2 leaves `dim_ordering` out; Keras 1 then used the user's
setting, as it did for the other layers of the model, which write it. Before 0.3 there was one order, Theano's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH

WITHOUT_DATA_FORMAT = frozenset(
    {f"{name}{rank}D" for name in ("Cropping", "UpSampling", "ZeroPadding") for rank in (2, 3)}
)
"""The classes whose config lacks the data format."""
_WITH_DATA_FORMAT = frozenset({"AveragePooling2D", "Convolution2D", "MaxPooling2D"})
_INNER = ("config", "layer", "layers")


def ordered(entry: Any) -> Any:
    """An entry of Keras 0 or 1 with `dim_ordering` where all other layers in it have the same one."""
    orderings = {ordering for layer in _layers(entry, 0) for ordering in [_ordering(layer)] if ordering}
    return _with(entry, orderings.pop(), 0) if len(orderings) == 1 else entry


def _layers(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """All values that may be the entry of a layer, however deep."""
    if depth > 2 * MAX_DEPTH:
        return
    if isinstance(value, list):
        for item in value:
            yield from _layers(item, depth)
    elif isinstance(value, Mapping):
        yield value
        for key in _INNER:
            yield from _layers(value.get(key), depth + 1)


def _class_of(entry: Mapping[str, Any]) -> Any:
    return entry.get("class_name", entry.get("name"))


def _ordering(entry: Mapping[str, Any]) -> str | None:
    """The order in a layer's config, or Theano's for a layer from before 0.3, when there was no other."""
    config = entry.get("config", entry)
    ordering = config.get("dim_ordering") if isinstance(config, Mapping) else None
    if ordering in ("th", "tf"):
        return str(ordering)
    name = _class_of(entry)
    return (
        "th"
        if isinstance(name, str) and name in _WITH_DATA_FORMAT and ordering is None and "inbound_nodes" not in entry
        else None
    )


def _with(value: Any, ordering: str, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_with(item, ordering, depth) for item in value]
    if not isinstance(value, Mapping):
        return value
    entry = {key: _with(item, ordering, depth + 1) if key in _INNER else item for key, item in value.items()}
    name = _class_of(value)
    if not isinstance(name, str) or name not in WITHOUT_DATA_FORMAT:
        return entry
    config = entry.get("config")
    if isinstance(config, Mapping):
        return {**entry, "config": {"dim_ordering": ordering, **config}}
    return entry if "class_name" in entry else {"dim_ordering": ordering, **entry}
