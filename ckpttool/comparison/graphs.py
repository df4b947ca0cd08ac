"""The inputs of layers in a form that can be compared: arguments of calls by name, tensors by their source."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.comparison.objects import ConfigObject
from ckpttool.errors import ConfigError
from ckpttool.model.graph import Call, Tensor, read_calls
from ckpttool.model.layers.layer_type import Trait
from ckpttool.model.layers.table import LAYERS, classes, of_kind, with_trait

MAX_DEPTH = 32

Feeds = Mapping[str, Any]
"""The arguments of one call by name, with `Source` in place of tensors; the first one has the name `""`."""


class Source(NamedTuple):
    """An output of a layer: the layer's name, the number of its call, the number of the output; counted from 0."""

    layer: str
    call: int = 0
    output: int = 0

    def __str__(self) -> str:
        parts = (("call", self.call), ("output", self.output))
        numbers = ", ".join(f"{label} {number + 1}" for label, number in parts if number)
        return f"{self.layer} ({numbers})" if numbers else self.layer


_PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: LAYERS[name].parameters for name in classes(lambda row: bool(row.parameters))}
)
"""The parameters of `call`, for the layers that take more than one input."""
_RECURRENT, _AUGMENTING = of_kind("recurrent"), with_trait(Trait.AUGMENTS)
_FIRST = frozenset({"data", "inputs", "query", "sequence", "sequences"})


def calls_of(entry: Any) -> tuple[Call, ...] | None:
    """The calls of a layer; None where its connections cannot be read."""
    try:
        return read_calls(entry)
    except ConfigError:
        return None


def feeds_of(layer: ConfigObject, call: Call, first: Mapping[str, int], is_operation: bool) -> Feeds:
    """The arguments of a call by name, without those of a layer that have their default.

    `first` has the number of the first call of the layers for which that is not 0.
    """
    arguments = dict(zip(_names(layer), call.args, strict=False))
    arguments |= {"" if key in _FIRST else key: value for key, value in call.kwargs.items()}
    feeds = {key: _plain(value, first, 0) for key, value in arguments.items()}
    inputs = feeds.get("")
    # Keras before 3 writes the sequence and the states of a recurrent layer in one list.
    if layer.class_name in _RECURRENT and isinstance(inputs, list) and "initial_state" not in feeds:
        feeds |= {"": inputs[0], "initial_state": inputs[1] if len(inputs) == 2 else inputs[1:]} if inputs else {}
    if is_operation:
        return feeds
    return {key: value for key, value in feeds.items() if not (key and _is_default(layer, key, value))}


def _names(layer: ConfigObject) -> Iterator[str]:
    """The names of positional arguments: empty for the first, numbers where the class is not known to name them."""
    yield ""
    known = _PARAMETERS.get(layer.class_name, ()) if not layer.own else ()
    yield from known[1:]
    yield from (str(at) for at in range(max(1, len(known)), 1000))


def _is_default(layer: ConfigObject, key: str, value: Any) -> bool:
    """Whether an argument of a call has its default, which Keras 3 writes and older Keras does not."""
    if key == "training" and value is True:  # the default of layers that augment images
        return layer.class_name in _AUGMENTING or "bounding_box_format" in layer.defaults
    return value is None or value is False or (isinstance(value, list) and all(item is None for item in value))


def _plain(value: Any, first: Mapping[str, int], depth: int) -> Any:
    """An argument with `Source` in place of tensors, the item in place of a list of one, and lists for slices."""
    if isinstance(value, Tensor):
        return Source(value.layer, value.node - first.get(value.layer, 0), value.output)
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, slice):
        return {"slice": [_plain(part, first, depth + 1) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, list | tuple):
        return _plain(value[0], first, depth + 1) if len(value) == 1 else [_plain(x, first, depth + 1) for x in value]
    if isinstance(value, Mapping):
        return {key: _plain(item, first, depth + 1) for key, item in value.items()}
    return value


def labelled(value: Any, labels: Mapping[str, str]) -> Any:
    """An argument of a call with labels in place of the names of layers.

    A name that no layer of the model has, as in a damaged config, gets a label that no layer has.
    """
    if isinstance(value, Source):
        return value._replace(layer=labels.get(value.layer, f"absent: {value.layer}"))
    if isinstance(value, list):
        return [labelled(item, labels) for item in value]
    if isinstance(value, Mapping):
        return {key: labelled(item, labels) for key, item in value.items()}
    return value


def sources_in(value: Any) -> Iterator[Source]:
    """All sources in one or more arguments of a call, in order."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Source):
            yield value
        elif isinstance(value, list | tuple):
            stack.extend(reversed(value))
        elif isinstance(value, Mapping):
            stack.extend(reversed(list(value.values())))


def as_json(value: Any) -> Any:
    """An argument of a call as JSON has it."""
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return {key: as_json(item) for key, item in value.items()} if isinstance(value, Mapping) else value
