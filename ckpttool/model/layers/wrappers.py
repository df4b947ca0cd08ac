"""Layers that hold other layers, and nested models (keras/src/layers/core/wrapper.py, rnn/time_distributed.py,
normalization/spectral_normalization.py, preprocessing/pipeline.py, keras/src/models, 3.15)."""

from dataclasses import replace

from ckpttool.model.arguments import Args, first
from ckpttool.model.layers.quantized import fixed
from ckpttool.model.layers.recurrent import Build
from ckpttool.model.shape_inference import steps_of
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, Slot, members


def wrapper(args: Args, inputs: Inputs, build: Build) -> Part:
    """Wrapper: the layer it wraps, with the same input."""
    return args.part(children=[("layer", _built(args.layer("layer"), inputs, build))])


def time_distributed(args: Args, inputs: Inputs, build: Build) -> Part:
    """TimeDistributed: the layer it wraps, with the input less its axis of time."""
    shape = first(inputs)
    if shape is not None and len(shape) < 3:
        raise args.error("name", "inputs with an axis for time")
    step: Inputs = () if shape is None else ((shape[0], *shape[2:]),)
    return args.part(children=[("layer", _built(args.layer("layer"), step, build))])


def spectral_normalization(args: Args, inputs: Inputs, build: Build) -> Part:
    """SpectralNormalization: lists the kernel (or embeddings) of its layer as its own too, then vector_u."""
    layer = _built(args.layer("layer"), inputs, build)
    kernel = _kernel(args, layer)
    width = kernel.shape[-1] if kernel.shape else None
    is_variable = not any(slot.name.startswith("lora_") for slot in layer.slots)
    return args.part(
        kernel if is_variable else None, fixed("vector_u", (1, width), kernel.dtype), children=[("layer", layer)]
    )


def _kernel(args: Args, layer: Part) -> Slot:
    """The slot that SpectralNormalization borrows of its layer."""
    for slot in layer.slots:
        if slot.name in ("kernel", "embeddings"):
            owner = f"layer/{slot.borrowed}" if slot.borrowed else "layer"
            return Slot(slot.name, slot.shape, slot.dtype, slot.trainable, borrowed=owner)
    if layer.known:
        raise args.error("layer", "a layer with a kernel or embeddings")
    return Slot("kernel", None, args.variable_dtype, borrowed="layer")


def pipeline(args: Args, inputs: Inputs, build: Build) -> Part:
    """Pipeline: its layers. What comes out of the first one is not known here, so only its own input shape is."""
    layers = args.layers("layers")
    shapes = [inputs, *[()] * len(layers)]
    parts = [_built(layer, shape, build) for layer, shape in zip(layers, shapes, strict=False)]
    return args.part(children=members("layers", parts))


def model(args: Args, inputs: Inputs, build: Build) -> Part:
    """Functional and Sequential: their layers, for the inputs that the connections between them give."""
    layers = [build(step.args, step.inputs) for step in steps_of(args, inputs)]
    if args.class_name == "Sequential":
        layers = [replace(layer, listed=layer.listed and layer.class_name != "InputLayer") for layer in layers]
    return replace(args.part(children=members("layers", layers)), is_model=True)


def _built(layer: Args, inputs: Inputs, build: Build) -> Part:
    """The part of a layer that another holds, for the inputs that its own `build_config` states, for which Keras builds
    it before its holder, or else for these."""
    return build(layer, layer.built or inputs)
