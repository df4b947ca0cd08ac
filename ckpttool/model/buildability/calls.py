"""Calls of layers: what a call takes, what comes out, and the weights that it makes (`Layer.__call__`,
keras/src/layers/layer.py; `Operation.__call__`, keras/src/ops/operation.py, 3.15)."""

from typing import Any

from ckpttool.errors import ConfigError
from ckpttool.io import scalars
from ckpttool.model import graph
from ckpttool.model.arguments import Args, built_shapes
from ckpttool.model.buildability import nested_models
from ckpttool.model.buildability.calls_by_class import (
    check_axes,
    check_build,
    check_own,
    checks_shapes,
    has_axes_as_built,
    has_no_steps,
    holds_built,
    is_left_open,
    is_merging,
    joined,
    keeps_axes,
    keeps_weights,
    of_equation,
)
from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.initializers import check_initializers
from ckpttool.model.buildability.shapes import is_alike, is_dtype
from ckpttool.model.buildability.table import Row, row_of
from ckpttool.model.buildability.values import Layer, Node, Object, Special, Tensor, leaves, mapped, tensors_in
from ckpttool.model.defaults import defaults_of
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import outputs_of
from ckpttool.model.sizes import Inputs, Shape

Ranks = tuple[int | None, int | None]
_TRUTHS = ("keepdims",)  # what operations take anything for
_PASSED_OVER = ("batch_input_shape", "input_length", "input_shape")  # what constructors take and make no use of
_COUNTED_LATER = ("Discretization",)  # what such layers count has its shape only once they have seen data
_BESIDE = ("mask", "initial_state", "constants", "training")


def call(layer: Layer, args: list[Any], kwargs: dict[str, Any], context: Context) -> Any:
    """The outputs of a call, which the layer remembers. Raises Refused where Keras raises."""
    row = row_of(layer.place)
    if row is None:
        return _remember(layer, args, kwargs, None)
    bound = _bound(layer, row, args, kwargs, context)
    if row.kind == "layer" and not row.loose:
        _check_positional(layer, args, context)
    models = nested_models.call(layer, bound, context) if layer.is_model else None
    outputs = models if layer.is_model else _called(layer, row, args, kwargs, bound, context)
    return _remember(layer, args, kwargs, outputs)


def _called(
    layer: Layer, row: Row, args: list[Any], kwargs: dict[str, Any], bound: dict[str, Any], context: Context
) -> list[Shape | None] | None:
    first = next(iter(bound.values()), None)
    ranks = _ranks(layer, row)
    if ranks is not None:
        _check_ranks(layer, ranks, first, context)
    check_own(layer, first, context)
    if row.kind == "operation":
        _check_operation(layer, row, bound, context)
    if row.kind == "layer":
        _build_for(layer, row, _shapes_for_build(bound), context)
        _call_inner_model(layer, first, context)
    return output_shapes_of(layer, args, kwargs, context)


def _call_inner_model(layer: Layer, first: Any, context: Context) -> None:
    """TimeDistributed calls the model that it holds on each step (keras/src/layers/rnn/time_distributed.py)."""
    inner = layer.arguments.get("layer") if layer.class_name == "TimeDistributed" else None
    if isinstance(inner, Layer) and inner.is_model and isinstance(first, Tensor) and first.shape is not None:
        step = Tensor((*first.shape[:1], *first.shape[2:]), first.dtype, first.layer, first.node, first.output)
        with context.below(layer.label):
            nested_models.call(inner, {"inputs": step}, context)


def _check_operation(layer: Layer, row: Row, bound: dict[str, Any], context: Context) -> None:
    """An operation takes a list only where Keras's does, and its dtype is looked at when it is called."""
    needed = [bound[name[:-1]] for name in row.call if name.endswith("*") and name[:-1] in bound]
    wrong = next((value for value in needed if value is None or isinstance(value, list | dict)), 0)
    if wrong != 0 and not row.loose:
        raise context.refused(layer.class_name, "call", f"it is called on {_sort_of(wrong)}, and takes a tensor")
    dtype = layer.config.get("dtype")
    if not isinstance(dtype, dict) and not is_dtype(dtype):
        raise context.refused(layer.class_name, "dtype", f"it is {shown(dtype)}; Keras takes the name of a dtype")


def _sort_of(value: Any) -> str:
    return {None: "null", list: "a list", dict: "an object"}[value if value is None else type(value)]


def output_shapes_of(
    layer: Layer, args: list[Any], kwargs: dict[str, Any], context: Context
) -> list[Shape | None] | None:
    """The shapes that come out of a call, None where not even their number is known. Raises Refused."""
    tensors = tensors_in([args, kwargs])
    check_axes(layer, tensors, context)
    if is_left_open(layer, tensors):
        return [None]
    if layer.built and layer.class_name == "Concatenate":
        return [joined(layer, tensors, context)]
    try:
        return list(outputs_of(args_of(layer), as_graph_call(args, kwargs))) or None
    except ConfigError as error:
        raise context.refused(layer.class_name, "call", _reason(error)) from None


def _reason(error: ConfigError) -> str:
    parts = [error.what]
    parts += [f"expected {error.expected}"] if error.expected else []
    parts += [f"found {error.found}"] if error.found else []
    return "; ".join(parts)


def args_of(layer: Layer) -> Args:
    """A layer as the tables of weights and shapes take it, made once."""
    if layer.args is None:
        layer.args = _args_of(layer)
    return layer.args


def _args_of(layer: Layer) -> Args:
    module = layer.place.rpartition(".")[0]
    defaults = defaults_of("layers", layer.class_name) or {}
    settings = {key: value for key, value in layer.config.items() if key not in _PASSED_OVER}
    flags = {key: _as_taken(value, defaults.get(key, 0)) for key, value in settings.items()}
    flags |= {key: bool(flags[key]) for key in _TRUTHS if key in flags}
    flags |= {key: None for key in ("data_format",) if not flags.get(key, 1)}
    dtype = layer.arguments.get("dtype")
    if isinstance(dtype, Object):
        flags["dtype"] = {"class_name": dtype.class_name, "config": dict(dtype.arguments)}
    return Args.of({"module": module, "class_name": layer.class_name, "config": flags})


def _as_taken(value: Any, default: Any) -> Any:
    """A value as Python takes it: anything for true or false where that is the default, true for 1 where a
    number is."""
    if isinstance(default, bool):
        return bool(value)
    is_number = isinstance(value, bool) and isinstance(default, int | float | list)
    return scalars.truncated(value) if is_number else value


def as_graph_call(args: list[Any], kwargs: dict[str, Any]) -> graph.Call:
    """A call as the tables of shapes take it."""

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return graph.Tensor("", value.node, value.output, value.shape)
        if isinstance(value, Special) and value.kind == "slice":
            return slice(*value.value)
        return value.entry if isinstance(value, Special) else value

    return graph.Call(tuple(mapped(args, plain)), mapped(kwargs, plain))


def _remember(layer: Layer, args: list[Any], kwargs: dict[str, Any], shapes: list[Shape | None] | None) -> Any:
    """Note the call; what comes out of it as tensors, a single one by itself."""
    number = len(layer.nodes)
    inputs = tuple(tensors_in([args, kwargs]))
    if shapes is None:
        layer.nodes.append(Node(inputs, None, None, (args, kwargs)))
        return Tensor(None, None, layer, number)
    flat = [Tensor(shape, None, layer, number, at) for at, shape in enumerate(shapes)]
    layer.nodes.append(Node(inputs, flat, flat, (args, kwargs)))
    layer.built = True
    return flat[0] if len(flat) == 1 else flat


def _bound(layer: Layer, row: Row, args: list[Any], kwargs: dict[str, Any], context: Context) -> dict[str, Any]:
    """The arguments of a call by name (`inspect.Signature.bind`)."""
    takes = [name for name in row.call if name not in ("*", "**")]
    names = [name.removesuffix("*") for name in takes]
    if len(args) > len(names) and "*" not in row.call:
        why = f"it is called with {len(args)} arguments, and takes {len(names)}"
        raise context.refused(layer.class_name, "call", why)
    bound = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key in bound:
            raise context.refused(layer.class_name, key, "the call gives it twice")
        if key not in names and "**" not in row.call:
            if key == "training" and row.kind == "layer":
                continue
            raise context.refused(
                layer.class_name, key, f"a call of {layer.class_name} of Keras 3 has no such argument"
            )
        bound[key] = value
    missing = next((name[:-1] for name in takes if name.endswith("*") and name[:-1] not in bound), None)
    if missing is not None and not ("*" in row.call and args):
        raise context.refused(layer.class_name, missing, "it is called without it")
    return bound


def _check_positional(layer: Layer, args: list[Any], context: Context) -> None:
    """Only tensors and null may be given by position."""
    for value in leaves(args):
        if value is not None and not isinstance(value, Tensor) and getattr(value, "kind", "") != "tensor":
            why = f"it is called with {shown(value)} by position, where Keras takes tensors only"
            raise context.refused(layer.class_name, "call", why)


def _ranks(layer: Layer, row: Row) -> Ranks | None:
    """The least and most axes of a layer's input; for a Bidirectional those of the layer inside."""
    inner = layer.arguments.get("layer") if layer.class_name == "Bidirectional" else None
    inner_row = row_of(inner.place) if isinstance(inner, Layer) else row
    return None if inner_row is None else inner_row.ranks


def _check_ranks(layer: Layer, ranks: Ranks, value: Any, context: Context) -> None:
    """The number of inputs and of their axes (`assert_input_compatibility`, keras/src/layers/input_spec.py)."""
    least, most = ranks
    inputs = leaves(value)
    if len(inputs) != 1:
        raise context.refused(layer.class_name, "call", f"it is called on {len(inputs)} inputs, and takes 1")
    shape = inputs[0].shape if isinstance(inputs[0], Tensor) else None
    if not isinstance(inputs[0], Tensor):
        raise context.refused(layer.class_name, "call", f"it is called on {shown(inputs[0])}, which is no tensor")
    if shape is None:
        return
    if (least is not None and len(shape) < least) or (most is not None and len(shape) > most):
        takes = str(least) if least == most else f"{least or 0} at least" if most is None else f"{most} at most"
        why = f"its input has {len(shape)} axes, {shown(list(shape))}, and it takes {takes}"
        raise context.refused(layer.class_name, "call", why)


def _shapes_for_build(bound: dict[str, Any]) -> Inputs:
    """The shapes for which a call builds a layer: its inputs without masks and states."""
    inputs = [value for key, value in bound.items() if not key.endswith(_BESIDE)]
    return tuple(tensor.shape for tensor in tensors_in(inputs))


def _build_for(layer: Layer, row: Row, inputs: Inputs, context: Context) -> None:
    """Make the weights of a layer, or compare them with those it has: Keras makes each shape once."""
    if layer.class_name in _COUNTED_LATER or (inputs and holds_built(layer, inputs[0])):
        return
    if not inputs or any(shape is None for shape in inputs):
        return
    _check_axes_as_built(layer, inputs[0], context)
    inputs = of_equation(layer, inputs)
    if is_left_open(layer, [Tensor(inputs[0])]) or inputs == layer.weight_inputs:
        return
    shapes = weight_shapes(layer, inputs, context)
    if layer.built_for is None:
        incomplete = next((name for name, shape in shapes.items() if shape is None or None in shape), None)
        if incomplete is not None:
            why = (
                f"the size of its weight {incomplete} is not known for inputs {shown([list(s or ()) for s in inputs])}"
            )
            raise context.refused(layer.class_name, "build", why)
        check_initializers(layer, shapes, context)
        layer.built_for, layer.weight_inputs = shapes, inputs
    elif (row.fixed or keeps_weights(layer)) and not _are_alike(shapes, layer.built_for):
        why = f"it has weights for other inputs than {shown([list(s or ()) for s in inputs])}"
        raise context.refused(layer.class_name, "call", why)


def _check_axes_as_built(layer: Layer, shape: Shape | None, context: Context) -> None:
    """Raises Refused where an input has other axes than the one that a layer was built for, if that counts."""
    if shape is None or not keeps_axes(layer):
        return
    layer.built_input = layer.built_input or shape
    if not has_axes_as_built(layer, shape):
        why = f"it is built for inputs {shown(list(layer.built_input))}, and called on {shown(list(shape))}"
        raise context.refused(layer.class_name, "call", why)


def _are_alike(shapes: dict[str, Shape | None], built: dict[str, Shape | None]) -> bool:
    """Whether weights of these shapes, of which sizes may not be known, are those that a layer has."""
    return all(is_alike(shape, built.get(name)) for name, shape in shapes.items())


def _check_built(layer: Layer, built: Inputs, context: Context) -> None:
    """Raises Refused where a layer is built for shapes of which its output would make no sense."""
    if not checks_shapes(layer) or any(shape is None for shape in built):
        return
    tensors = [Tensor(shape) for shape in built]
    output_shapes_of(layer, [tensors if is_merging(layer) else tensors[0]], {}, context)


def weight_shapes(layer: Layer, inputs: Inputs, context: Context) -> dict[str, Shape | None]:
    """The shapes of all weights of a layer for some inputs. Raises Refused where it has none for them."""
    try:
        args = args_of(layer)
        part = part_of(args.class_name, args, inputs)
    except ConfigError as error:
        raise context.refused(layer.class_name, "build", _reason(error)) from None
    shapes: dict[str, Shape | None] = {}
    stack = [("", part)]
    while stack:
        path, part = stack.pop()
        if part.known:
            shapes |= {f"{path}{slot.name}": slot.shape for slot in part.slots}
            stack.extend((f"{path}{at}/", child) for at, child in part.children)
    return shapes


def build(layer: Layer, settings: Any, context: Context) -> None:
    """Build a layer as `build_config` says (`build_from_config`). Raises Refused where Keras raises."""
    row = row_of(layer.place)
    if row is None or layer.built or not isinstance(settings, dict):
        return
    if layer.is_sequential:
        nested_models.build_sequential(layer, settings, context)
        return
    built = built_shapes(settings)
    with context.below(layer.label):
        check_build(layer, settings, context)
        if row.kind == "layer" and built and built[0] is not None and has_no_steps(layer, built[0]):
            _build_for(layer, row, ((built[0][0], None, built[0][0]),), context)
        elif row.kind == "layer" and built:
            _build_for(layer, row, built, context)
            _check_built(layer, built, context)
    layer.built = True
