"""Sequential models (keras/src/models/sequential.py, 3.15)."""

from functools import partial
from typing import Any

from ckpttool.model.buildability import legacy
from ckpttool.model.buildability.calls import call
from ckpttool.model.buildability.calls_by_class import is_without_shape
from ckpttool.model.buildability.context import Context, Refused, shown
from ckpttool.model.buildability.deserialization import deserialize
from ckpttool.model.buildability.shapes import standard_shape
from ckpttool.model.buildability.values import INPUT_LAYER, SEQUENTIAL, Layer, Node, Tensor
from ckpttool.model.sizes import Shape

_AT_FIRST = 2  # layers with which a model gets its InputLayer, if that is not stated


def from_config(place: str, config: Any, context: Context) -> Layer:
    """The model that a config describes. Raises Refused where Keras raises."""
    if not isinstance(config, dict):
        form = "a list, the form of Keras 2.2.2 and older" if isinstance(config, list) else shown(config)
        raise context.refused("Sequential", "config", f"config is {form}; Keras takes an object with name and layers")
    for key in ("name", "layers"):
        if key not in config:
            raise context.refused("Sequential", key, "it is not given, and Keras cannot do without it")
    name, entries = config["name"], config["layers"]
    if name is not None and (not isinstance(name, str) or "/" in name):
        raise context.refused("Sequential", "name", f"the name is {shown(name)}; Keras takes a string without /")
    if not isinstance(entries, list):
        raise context.refused("Sequential", "layers", f"the layers are {shown(entries)}; Keras takes a list")
    model = Layer(SEQUENTIAL, name, config)
    layers, named = _layers(entries, context), dict[str, Layer]()
    for at, layer in enumerate(layers, 1):
        _add(model, layer, named, context)
        if len(model.layers) <= _AT_FIRST or at == len(layers):  # Keras does so each time, with the same outcome
            _rebuild(model, context)
    shape = config.get("build_input_shape")
    if model.inputs is None and shape and isinstance(shape, list | tuple):
        build(model, shape, context)
    return model


def _layers(entries: list[Any], context: Context) -> list[Layer]:
    """The layers; where Keras raises for one, the others are looked at all the same."""
    layers: list[Layer] = []
    first: Refused | None = None
    for entry in entries:
        layer = context.attempt(partial(_layer, entry, context))
        layers += [layer] if isinstance(layer, Layer) else []
        first = first or (layer if isinstance(layer, Refused) else None)
    if first is not None:
        raise first
    return layers


def _layer(entry: Any, context: Context) -> Layer:
    if not isinstance(entry, dict):
        raise context.refused("Sequential", "layers", f"{shown(entry)} is no layer")
    layer = legacy.layer_of(entry, context) if "module" not in entry else deserialize(entry, context)
    if not isinstance(layer, Layer) or not is_layer(layer):
        class_name = getattr(layer, "class_name", shown(layer))
        raise context.refused(class_name, "", "it is no layer, and a Sequential model holds layers only")
    return layer


def is_layer(layer: Layer) -> bool:
    """Whether an object of a graph is a layer, which operations are not."""
    return ".ops." not in layer.place


def _add(model: Layer, layer: Layer, named: dict[str, Layer], context: Context) -> None:
    """Add a layer, with an InputLayer in front of the first where its arguments tell a shape; `named` are the layers so
    far by their names."""
    if not model.layers and layer.input_shape is not None:
        shape = standard_shape(layer.input_shape)
        if shape is None:
            why = f"the input shape is {shown(layer.input_shape)}; Keras takes whole numbers and nulls"
            with context.below(layer.label):
                raise context.refused(layer.class_name, "input_shape", why)
        model.layers.append(_input((None, *shape), None))
    if layer.name is not None and named.setdefault(layer.name, layer) is not layer:
        raise context.refused("Sequential", "layers", f"the name {layer.name} is that of two layers")
    if layer.place == INPUT_LAYER and model.layers and model.layers[0].place == INPUT_LAYER:
        with context.below(layer.label):
            raise context.refused("InputLayer", "", "it is not the first: a Sequential model has one input layer")
    model.layers.append(layer)


def _input(shape: Shape, dtype: Any) -> Layer:
    layer = Layer(INPUT_LAYER, None, {}, {"batch_shape": list(shape), "dtype": dtype}, built=True)
    tensor = Tensor(shape, dtype, layer)
    layer.nodes.append(Node((), tensor, [tensor]))
    return layer


def _rebuild(model: Layer, context: Context) -> None:
    """Build the model again, if it has more than one layer and the shape of its input is known."""
    model.inputs = model.outputs = None
    model.built = False
    first = model.layers[0]
    if len(model.layers) < 2:
        return
    if first.place == INPUT_LAYER:
        assert first.nodes[0].flat is not None
        build(model, first.nodes[0].flat[0].shape, context)
    elif first.is_model and isinstance(first.inputs, Tensor):
        build(model, first.inputs.shape, context)
    elif first.is_model and isinstance(first.inputs, list) and len(first.inputs) == 1:
        build(model, first.inputs[0].shape, context)


def build(model: Layer, value: Any, context: Context) -> None:
    """Build the model for the shape of an input (`Sequential.build`)."""
    shape = standard_shape(value)
    if shape is None:
        return
    if not model.layers:
        raise context.refused("Sequential", "layers", "the model is built, and has no layers")
    first = model.layers[0]
    if first.place != INPUT_LAYER:
        model.layers.insert(0, _input(shape, None))
    else:
        assert first.nodes[0].flat is not None
        known = first.nodes[0].flat[0].shape
        if known is not None and known != shape:
            why = f"the model is built for {shown(list(shape))}, where its input layer has {shown(list(known))}"
            raise context.refused("Sequential", "build_input_shape", why)
    assert model.layers[0].nodes[0].flat is not None
    outputs: Any = model.layers[0].nodes[0].flat[0]
    start = outputs
    for layer in model.layers[1:]:
        if is_without_shape(layer) and isinstance(outputs, Tensor) and outputs.shape and outputs.shape[-1]:
            return  # for Keras, the model is one whose inputs are not known yet
        with context.below(layer.label):
            outputs = call(layer, [outputs], {}, context)
    model.inputs, model.outputs, model.built = start, outputs, True
