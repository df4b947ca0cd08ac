"""What goes into a layer, as it can be compared: each call by the names of its arguments, its tensors by what they are
outputs of."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.comparison.objects import Thing
from ckpttool.errors import ConfigError
from ckpttool.model.graph import Call, Tensor, read_calls
from ckpttool.model.layers.table import LAYERS, classes, of_kind

MAX_DEPTH = 32

Feeds = Mapping[str, Any]
"""The arguments of one call by name, with `Source` in place of tensors; the first one has the name `""`."""


class Source(NamedTuple):
    """An output of a layer: of which layer, of which call, which of several; counted from 0."""

    layer: str
    call: int = 0
    output: int = 0

    def __str__(self) -> str:
        parts = (("call", self.call), ("output", self.output))
        told = ", ".join(f"{label} {number + 1}" for label, number in parts if number)
        return f"{self.layer} ({told})" if told else self.layer


_PARAMETERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: LAYERS[name].parameters for name in classes(lambda row: bool(row.parameters))}
)
"""The names of what `call` takes, for the layers that take more than one input."""
_RECURRENT = of_kind("recurrent")
_FIRST = frozenset({"data", "inputs", "query", "sequence", "sequences"})


def calls_of(entry: Any) -> tuple[Call, ...] | None:
    """The calls of a layer, None where its connections cannot be read."""
    try:
        return read_calls(entry)
    except ConfigError:
        return None


def feeds_of(thing: Thing, call: Call, first: Mapping[str, int], is_operation: bool) -> Feeds:
    """The arguments of a call by name; those that say what holds anyway are left out.

    `first` is the number of the first call of layers where that is not 0. Old Keras gives a recurrent layer its states
    behind the sequence, in one list.
    """
    given = dict(zip(_names(thing), call.args, strict=False))
    given |= {"" if key in _FIRST else key: value for key, value in call.kwargs.items()}
    found = {key: _plain(value, first, 0) for key, value in given.items()}
    inputs = found.get("")
    if thing.class_name in _RECURRENT and isinstance(inputs, list) and "initial_state" not in found:
        found |= {"": inputs[0], "initial_state": inputs[1] if len(inputs) == 2 else inputs[1:]} if inputs else {}
    if is_operation:
        return found
    return {key: value for key, value in found.items() if not (key and _says_nothing(thing, key, value))}


def _names(thing: Thing) -> Iterator[str]:
    """The names of positional arguments: the first has none, those that the class does not tell are numbers."""
    yield ""
    known = _PARAMETERS.get(thing.class_name, ()) if not thing.own else ()
    yield from known[1:]
    yield from (str(at) for at in range(max(1, len(known)), 1000))


def _says_nothing(thing: Thing, key: str, value: Any) -> bool:
    """Whether an argument of a call is what it is by default, which Keras 3 writes and others do not."""
    if key == "training" and value is True:  # layers that change images do so by default
        return thing.class_name == "Pipeline" or "bounding_box_format" in thing.defaults
    return value is None or value is False or (isinstance(value, list) and all(one is None for one in value))


def _plain(value: Any, first: Mapping[str, int], depth: int) -> Any:
    """An argument with its tensors as sources, lists of one as what they hold, and slices as lists."""
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


def first_calls(
    calls: Mapping[str, tuple[Call, ...] | None], ends: Iterator[Tensor], models: frozenset[str]
) -> Mapping[str, int]:
    """The number of the first call of each nested model that is not called 0: its own input may be that."""
    lowest: dict[str, int] = {}
    for tensor in (*ends, *(tensor for found in calls.values() for call in found or () for tensor in call.tensors)):
        if tensor.layer in models:
            lowest[tensor.layer] = min(tensor.node, lowest.get(tensor.layer, tensor.node))
    return {name: 1 for name, node in lowest.items() if node == 1}


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """An argument of a call with the layers under other names."""
    if isinstance(value, Source):
        return value._replace(layer=names.get(value.layer, value.layer))
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    if isinstance(value, Mapping):
        return {key: renamed(item, names) for key, item in value.items()}
    return value


def sources_in(value: Any) -> Iterator[Source]:
    """The sources in an argument of a call, or in several, in order."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Source):
            yield value
        elif isinstance(value, list | tuple):
            stack.extend(reversed(value))
        elif isinstance(value, Mapping):
            stack.extend(reversed(list(value.values())))


def told(value: Any) -> Any:
    """An argument of a call as JSON has it."""
    if isinstance(value, Source):
        return str(value)
    if isinstance(value, list):
        return [told(item) for item in value]
    return {key: told(item) for key, item in value.items()} if isinstance(value, Mapping) else value
