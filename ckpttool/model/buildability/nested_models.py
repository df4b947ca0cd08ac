"""Models called inside others (`Functional.compute_output_spec`, keras/src/models/functional.py;
`Sequential.compute_output_spec`, keras/src/models/sequential.py, 3.15)."""

from typing import Any

from ckpttool.model.buildability.context import Context, shown
from ckpttool.model.buildability.values import Layer, Tensor, leaves, mapped
from ckpttool.model.sizes import Shape


def call(model: Layer, bound: dict[str, Any], context: Context) -> list[Shape | None] | None:
    """The shapes that come out of a model for some inputs, None where they are not known."""
    first = bound.get("inputs")
    if model.outputs is None:
        return _deferred(model, first, context)
    if model.is_functional and (other := [key for key in bound if key not in ("inputs", "training", "mask")]):
        raise context.refused(model.class_name, other[0], "a call of a model has no such argument")
    inputs = _in_order(model, first)
    expected = leaves(model.inputs)
    if len(inputs) != len(expected):
        why = f"the model is called on {len(inputs)} inputs, and takes {len(expected)}"
        raise context.refused(model.class_name, "call", why)
    for tensor, reference in zip(inputs, expected, strict=True):
        _check(model, tensor, reference, context)
    shapes = [tensor.shape if isinstance(tensor, Tensor) else None for tensor in inputs]
    known = [reference.shape for reference in expected]
    outputs = leaves(model.outputs)
    if shapes == known:
        return [tensor.shape for tensor in outputs]
    key = (tuple(map(id, outputs)), tuple(shapes))
    if key not in context.recomputed:
        context.recomputed[key] = (outputs, _recomputed(model, expected, shapes, context))  # which keep their ids
    recomputed: list[Shape | None] = context.recomputed[key][1]
    return recomputed


def _deferred(model: Layer, first: Any, context: Context) -> list[Shape | None] | None:
    """A Sequential model without a shape so far is built for the input of its first call."""
    if not model.is_sequential or not isinstance(first, Tensor) or first.shape is None:
        return None
    context.steps.build(model, list(first.shape), context)
    return [tensor.shape for tensor in leaves(model.outputs)]


def build_sequential(model: Layer, settings: dict[str, Any], context: Context) -> None:
    """Build a Sequential model as `build_config` says."""
    if "input_shape" in settings:
        context.steps.build(model, settings["input_shape"], context)


def _in_order(model: Layer, value: Any) -> list[Any]:
    """The inputs of a call in the order of the model's own."""
    if isinstance(value, dict) and isinstance(model.inputs, list):
        names = [tensor.layer.name for tensor in model.inputs if isinstance(tensor, Tensor) and tensor.layer]
        if len(names) == len(value) and all(name in value for name in names):
            return [value[name] for name in names]
    return leaves(value)


def _check(model: Layer, tensor: Any, reference: Tensor, context: Context) -> None:
    """Raises Refused for an input that does not fit that of the model; the batch does not count, nor does a last axis
    of 1 (`InputSpec(allow_last_axis_squeeze=True)`)."""
    if not isinstance(tensor, Tensor):
        if tensor is not None:
            raise context.refused(
                model.class_name, "call", f"the model is called on {shown(tensor)}, which is no tensor"
            )
        return
    if tensor.shape is None or reference.shape is None:
        return
    shape, expected = _squeezed(tensor.shape), _squeezed((None, *reference.shape[1:]))
    pairs = list(zip(expected, shape, strict=False))
    if any(a is not None and b is not None and a != b for a, b in pairs):
        why = f"the model is called on {shown(list(tensor.shape))}, and takes {shown(list(reference.shape))}"
        raise context.refused(model.class_name, "call", why)


def _squeezed(shape: Shape) -> Shape:
    return shape[:-1] if shape and shape[-1] == 1 else shape


def _recomputed(model: Layer, inputs: list[Tensor], shapes: list[Shape | None], context: Context) -> list[Shape | None]:
    """The shapes of the outputs for inputs of other shapes, layer by layer."""
    known: dict[int, Shape | None] = {id(tensor): shape for tensor, shape in zip(inputs, shapes, strict=True)}
    outputs = leaves(model.outputs)
    for output in outputs:
        _compute(model, output, known, context)
    return [known.get(id(output)) for output in outputs]


def _compute(model: Layer, tensor: Tensor, known: dict[int, Shape | None], context: Context) -> None:
    """Note the shape of a tensor and of all that it depends on."""
    stack = [tensor]
    while stack:
        tensor = stack[-1]
        node = tensor.layer.nodes[tensor.node] if tensor.layer is not None else None
        missing = [] if node is None else [tensor for tensor in node.inputs if id(tensor) not in known]
        if id(tensor) not in known and missing:
            stack.extend(missing)
            continue
        stack.pop()
        if id(tensor) in known:
            continue
        if tensor.layer is None or node is None or node.call is None or node.flat is None:
            known[id(tensor)] = tensor.shape
            continue
        outputs = _again(model, tensor.layer, node.call, known, context)
        pairs = zip(node.flat, outputs or [None] * len(node.flat), strict=False)
        known |= {id(tensor): shape for tensor, shape in pairs}
        known.setdefault(id(tensor), None)


def _again(
    model: Layer, layer: Layer, recorded: Any, known: dict[int, Shape | None], context: Context
) -> list[Shape | None] | None:
    def other(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return Tensor(known.get(id(value)), value.dtype, value.layer, value.node, value.output)

    context.spend()
    args, kwargs = mapped(recorded[0], other), mapped(recorded[1], other)
    if layer.is_model:
        return call(layer, {"inputs": args[0] if args else kwargs.get("inputs")}, context)
    with context.below(layer.label):
        return None if _is_unchecked(model, layer, args) else context.steps.output_shapes(layer, args, kwargs, context)


def _is_unchecked(model: Layer, layer: Layer, args: list[Any]) -> bool:
    """Whether a layer looks at such inputs when it is called, and not when the shapes of a model are computed anew;
    what comes out is open then."""
    first = args[0] if args else None
    is_flat = isinstance(first, Tensor) and first.shape is not None and len(first.shape) < _WITH_VALUES
    return layer.class_name == "Concatenate" or (layer.class_name == "Dense" and is_flat and not model.is_sequential)


_WITH_VALUES = 2  # axes: batch, values
