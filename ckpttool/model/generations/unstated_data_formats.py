"""The data format of layers whose config lacks it: that of the other layers in the model.

`get_config` of ZeroPadding, Cropping, UpSampling and SpatialDropout of 1.2.2 leaves `dim_ordering` out; Keras 1 then
used the user's setting, as it did for the other layers of the model, which write it. Before 0.3 there was one order,
Theano's. SpatialDropout of Keras 2.0 to 2.15 has no `get_config` and leaves `data_format` out (keras/layers/core.py,
2.2.4, and regularization/spatial_dropout2d.py, 2.15); loaded by Keras 2, too, it takes the setting of its user.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ckpttool.model.arguments import MAX_DEPTH
from ckpttool.model.generations.generation import Generation

SPATIAL_DROPOUTS = frozenset({"SpatialDropout2D", "SpatialDropout3D"})
WITHOUT_DATA_FORMAT = SPATIAL_DROPOUTS | {
    f"{name}{rank}D" for name in ("Cropping", "UpSampling", "ZeroPadding") for rank in (2, 3)
}
"""The classes whose config lacks the data format."""
_WITH_DATA_FORMAT = frozenset({"AveragePooling2D", "Convolution2D", "MaxPooling2D"})
_INNER = ("config", "layer", "layers")


def ordered(entry: Any, generation: Generation) -> Any:
    """An entry of Keras 0 to 2 with the data format in layers that lack it, where all other layers in it have the same
    one."""
    key, read = ("data_format", _data_format) if generation is Generation.KERAS_2 else ("dim_ordering", _ordering)
    formats = {order for layer in _layers(entry, 0) for order in [read(layer)] if order}
    return _with(entry, key, formats.pop(), 0) if len(formats) == 1 else entry


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


def _data_format(entry: Mapping[str, Any]) -> str | None:
    """The data format in the config of a layer of Keras 2."""
    config = entry.get("config")
    data_format = config.get("data_format") if isinstance(config, Mapping) else None
    return str(data_format) if data_format in ("channels_first", "channels_last") else None


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


def _with(value: Any, key: str, order: str, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        return value
    if isinstance(value, list):
        return [_with(item, key, order, depth) for item in value]
    if not isinstance(value, Mapping):
        return value
    entry = {name: _with(item, key, order, depth + 1) if name in _INNER else item for name, item in value.items()}
    class_name = _class_of(value)
    if not isinstance(class_name, str) or class_name not in WITHOUT_DATA_FORMAT:
        return entry
    config = entry.get("config")
    if isinstance(config, Mapping):
        return {**entry, "config": {key: order, **config}}
    return entry if "class_name" in entry else {key: order, **entry}
