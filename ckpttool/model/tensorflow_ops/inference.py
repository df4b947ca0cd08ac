"""The shapes and the work of a TensorFlow function in a graph of Keras 2: those of the operations it stands for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from ckpttool.errors import ConfigError
from ckpttool.model.arguments import Args
from ckpttool.model.entries import node_entry
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.work import Run, Work, added
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape
from ckpttool.model.tensorflow_ops.emitter import Inner, NoEquivalent, Number, Sizes
from ckpttool.model.tensorflow_ops.equivalent import equivalent, title

_DTYPE = "float32"  # of tensors whose dtype is not computed here: no shape depends on it


class _Node(NamedTuple):
    """One operation or layer that stands for a part of the function, and its output shapes."""

    args: Args
    call: Call
    outputs: Outputs


def function_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """A function: the outputs of the operation that gives its result; not known where it has no equivalent."""
    try:
        result = equivalent(args, _valued(call)).result
        if isinstance(result, Sizes):
            return (() if result.alone else (len(result.sizes),),)
        if isinstance(result, Number):
            return ((),)
        if isinstance(result, Tensor):
            return (result.shape,)
        if not isinstance(result, Inner):
            return ()
        return list(_nodes(args, call, infer))[result.index].outputs[result.output :]
    except (NoEquivalent, ConfigError):  # functions that are not known, and arguments that make no sense
        return ()


def function_work(run: Run) -> Work | None:
    """A function: the sum over its operations."""
    try:
        nodes = list(_nodes(run.args, run.call, run.outputs_of))
        return added(*(run.work_of(node.args, node.call) for node in nodes))
    except (NoEquivalent, ConfigError):
        return None


def why_unknown(args: Args, call: Call) -> str:
    """Why the equivalent of a call is not known, with the name of the function; empty where it is."""
    try:
        equivalent(args, _valued(call))
    except NoEquivalent as problem:
        return f"TensorFlow's {title(args)}: {problem}"
    return ""


def sizes_of(args: Args, call: Call) -> Shape | None:
    """The sizes that a function returns: of a shape, or of a part of it; None for any other function."""
    try:
        result = equivalent(args, _valued(call)).result
    except NoEquivalent:
        return None
    if not isinstance(result, Sizes) or len(result.sizes) > MAX_RANK:  # joined again and again they would grow
        return None
    return tuple(size if size is not None and abs(size) <= MAX_SIZE else None for size in result.sizes)


def _valued(call: Call) -> Call:
    """A call with the sizes that its tensors hold, and with a dtype for all others."""

    def value(tensor: Tensor) -> Any:
        if tensor.sizes is not None:
            batch = Tensor("", 0, 0, tensor.sizes[:1], _DTYPE)
            return Sizes(tensor.sizes, alone=tensor.shape == (), batch_of=batch)
        return replace(tensor, dtype=tensor.dtype or _DTYPE)

    return call.replaced(value)


def _nodes(args: Args, call: Call, infer: Infer) -> Iterator[_Node]:
    """The operations in their order, each called on what the ones before give. Raises NoEquivalent, ConfigError."""
    shapes = list[Outputs]()

    def tensor(value: Any) -> Any:
        if isinstance(value, Inner):
            outputs = shapes[value.index]
            return Tensor("", 0, 0, outputs[value.output] if value.output < len(outputs) else None, _DTYPE)
        if isinstance(value, list | tuple):
            return type(value)(tensor(item) for item in value)
        return value

    for node in equivalent(args, _valued(call)).nodes:
        entry = node_entry(node.module, node.class_name, {"name": args.name, **node.config})
        layer, taken = Args.of(entry), Call(tensor(node.args), {key: tensor(item) for key, item in node.kwargs.items()})
        shapes.append(infer(layer, taken))
        yield _Node(layer, taken, shapes[-1])
