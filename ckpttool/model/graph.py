"""The connections of a model's layers: the calls that a config records of each layer, in every dialect.

Keras 3 writes a call as `{"args": [...], "kwargs": {...}}` in which tensors are objects of class `__keras_tensor__`
(`serialize_node`, keras/src/models/functional.py, 3.15). Older ones write a nested list of references
`["layer", node, tensor, {kwargs}]`, in whose kwargs tensors are lists of three (`Node.serialize`,
keras/engine/node.py, 2.15; `Container.get_config`, keras/engine/topology.py, 1.2).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ckpttool.errors import ConfigError
from ckpttool.escape import brief
from ckpttool.model.sizes import Inputs, Shape, is_integer, read_shape

MAX_DEPTH = 64

UNKNOWN_SHAPE = "unknown_shape"
"""The key that marks a tensor, in a config that ckpttool wrote, whose `shape` is a placeholder that Keras requires."""

_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A reference to an output of a layer: the name of the layer, the number of its node, the number of the output.

    Nodes are numbered as the config numbers them. `shape` includes the batch axis and is None where it is not known;
    `dtype` is None where it was not computed or is not known. `sizes` are the values of a tensor that holds a shape or
    one size of it, where a graph of Keras 2 computes with shapes; None for every other tensor.
    """

    layer: str
    node: int
    output: int
    shape: Shape | None = None
    dtype: str | None = None
    sizes: Shape | None = None

    __repr__ = brief


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer or an operation, its arguments as the config has them, with tensors as `Tensor` and slices as
    `slice`."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors among the arguments, nested ones included, in their order."""
        return tuple(_tensors((self.args, self.kwargs)))

    @property
    def inputs(self) -> Inputs:
        """The shapes of the tensors among the arguments."""
        return tuple(tensor.shape for tensor in self.tensors)

    def replaced(self, change: Callable[[Tensor], Tensor]) -> "Call":
        """The same call with every tensor replaced by `change(tensor)`."""
        return Call(_changed(self.args, change), _changed(self.kwargs, change))


def first_calls(tensors: Iterable[Tensor], models: Container[str]) -> dict[str, int]:
    """The number of the first recorded call of each layer: Keras 2 counts a nested model's own input as call 0.

    `tensors` are all that a graph refers to, and `models` are the names of its nested models.
    """
    lowest: dict[str, int] = {}
    for tensor in tensors:
        lowest[tensor.layer] = min(tensor.node, lowest.get(tensor.layer, tensor.node))
    return {name: 1 if node == 1 and name in models else 0 for name, node in lowest.items()}


def read_calls(entry: Any) -> tuple[Call, ...]:
    """The calls that the config of a layer records, in the order of its nodes. Raises ConfigError."""
    nodes = entry.get("inbound_nodes") if isinstance(entry, Mapping) else None
    if nodes is None:
        return ()
    if not isinstance(nodes, list):
        raise _error(entry, "inbound_nodes is no list")
    return tuple(_call(entry, node) for node in nodes)


def read_references(value: Any) -> tuple[Tensor, ...]:
    """The tensors that a model's config names as its inputs or outputs: `["dense", 0, 0]`, alone, in lists or dicts."""
    return tuple(_tensors(_read_old(value, 0)))


def flat(value: Any) -> Iterator[Tensor]:
    """The tensors in a structure in the order of Keras's tree, which goes through the keys of objects sorted."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from flat(value[key])


def _call(entry: Mapping[str, Any], node: Any) -> Call:
    try:
        if isinstance(node, Mapping) and "args" in node:
            args, kwargs = _read(node["args"], 0), _read(node.get("kwargs") or {}, 0)
            if isinstance(args, list) and isinstance(kwargs, dict):
                return Call(tuple(args), kwargs)
        elif isinstance(node, list | Mapping):
            return _old_call(node)
    except (RecursionError, ValueError) as error:
        raise _error(entry, str(error)) from None
    raise _error(entry, "a node of inbound_nodes is no call")


def _error(entry: Mapping[str, Any], problem: str) -> ConfigError:
    name = entry.get("name")
    return ConfigError(
        f"the connections of a layer cannot be read: {problem}", where=name if isinstance(name, str) else ""
    )


def _read(value: Any, depth: int) -> Any:
    """An argument of a call as Keras 3 writes it, with the objects for tensors, slices and tuples turned into those."""
    if depth > MAX_DEPTH:
        raise ValueError(f"arguments nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        return [_read(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind == "__keras_tensor__":
        return _keras_tensor(config)
    if kind == "__slice__" and isinstance(config, dict):
        return slice(config.get("start"), config.get("stop"), config.get("step"))
    if kind == "__tuple__" and isinstance(value.get("items"), list):
        return tuple(_read(item, depth + 1) for item in value["items"])
    return {key: _read(item, depth + 1) for key, item in value.items()}


def _keras_tensor(config: Any) -> Tensor:
    history = config.get("keras_history") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(history, list) or not _is_reference(history):
        raise ValueError("a tensor without keras_history")
    layer, node, output = history
    shape = None if config.get(UNKNOWN_SHAPE) is True else read_shape(config.get("shape"))
    return Tensor(layer, node, output, shape)


def _old_call(node: Any) -> Call:
    """A call as Keras 1 and 2 write it; the keyword arguments are repeated behind each of its tensors."""
    value = _read_old(node, 0)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return Call((value,), _old_kwargs(node, 0))


def _old_kwargs(node: Any, depth: int) -> dict[str, Any]:
    """The keyword arguments behind the first tensor of a call."""
    if depth > MAX_DEPTH:
        raise ValueError(f"arguments nested more than {MAX_DEPTH} deep")
    if isinstance(node, list) and len(node) == 4 and isinstance(node[0], str):
        kwargs = node[3]
        return {key: _read_old(value, 0) for key, value in kwargs.items()} if isinstance(kwargs, dict) else {}
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((kwargs for item in inner if (kwargs := _old_kwargs(item, depth + 1))), {})


def _read_old(value: Any, depth: int) -> Any:
    """An argument of a call as Keras 1 and 2 write it."""
    if depth > MAX_DEPTH:
        raise ValueError(f"arguments nested more than {MAX_DEPTH} deep")
    if isinstance(value, list):
        if len(value) == 4 and value[0] == _CONSTANT:
            return value[2]
        if _is_reference(value[:3]) and len(value) in (3, 4):
            return Tensor(*value[:3])
        return [_read_old(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _read_old(item, depth + 1) for key, item in value.items()}
    return value


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and isinstance(value[0], str)
        and is_integer(value[1])
        and is_integer(value[2])
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)


def _changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    if isinstance(value, tuple):
        return tuple(_changed(item, change) for item in value)
    if isinstance(value, Mapping):
        return {key: _changed(item, change) for key, item in value.items()}
    return value
