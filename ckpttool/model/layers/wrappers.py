"""Layers that hold other layers, and models (keras/src/layers/core/wrapper.py, rnn/time_distributed.py, normalization/
spectral_normalization.py, preprocessing/pipeline.py, keras/src/models, 3.15)."""

from collections.abc import Collection

from ckpttool.model.arguments import Args, first_shape
from ckpttool.model.graph import Call, Tensor, flat
from ckpttool.model.layers.call_inputs import at_least, main, sole
from ckpttool.model.layers.layer_type import Build, LayerType, MaskUse, Trait
from ckpttool.model.layers.quantization import fixed
from ckpttool.model.layers.work import Run, Work, called_on, counted
from ckpttool.model.output_rule import Infer, Outputs, Rule
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, Slot, members


def wrapper_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Wrapper: the layer it wraps, with the same input."""
    return args.part(children=[("layer", _built(args.layer("layer"), inputs, build))])


def time_distributed_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """TimeDistributed: the layer it wraps, with the input less its axis of time."""
    shape = first_shape(inputs)
    if shape is not None and len(shape) < 3:
        raise args.error("name", "inputs with an axis for time")
    step: Inputs = () if shape is None else ((shape[0], *shape[2:]),)
    return args.part(children=[("layer", _built(args.layer("layer"), step, build))])


def time_distributed_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """TimeDistributed: what its layer makes of one step, with the axis of time put back behind the batch.

    Unknown for several inputs or outputs, which Keras 3 does not run.
    """
    inner, inputs = args.layer("layer"), list(flat(main(call)))
    if len(inputs) != 1:
        return ()
    shape = at_least(args, inputs[0].shape, 3)
    step = None if shape is None else (shape[0], *shape[2:])
    outputs = infer(inner, Call((_like(inputs[0], step),)))
    if len(outputs) != 1:
        return ()
    output = outputs[0]
    return (None if shape is None or not output else (output[0], shape[1], *output[1:]),)


def spectral_normalization_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """SpectralNormalization: lists the kernel (or embeddings) of its layer as its own too, then vector_u."""
    layer = _built(args.layer("layer"), inputs, build)
    kernel = _kernel(args, layer)
    width = kernel.shape[-1] if kernel.shape else None
    is_variable = not any(slot.name.startswith("lora_") for slot in layer.slots)
    return args.part(
        kernel if is_variable else None, fixed("vector_u", (1, width), kernel.dtype), children=[("layer", layer)]
    )


def spectral_normalization_outputs(weightless: Collection[str]) -> Rule:
    """SpectralNormalization: the outputs of its layer, which is of no class without weights."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        inner = args.layer("layer")
        if inner.class_name in weightless and not inner.foreign:
            raise args.error("layer", "a layer with a kernel or embeddings")
        at_least(args, sole(args, call), 1)
        return infer(inner, Call(call.args[:1], {} if call.args else call.kwargs))

    return rule


def pipeline_weights(args: Args, inputs: Inputs, build: Build) -> Part:
    """Pipeline: its layers. What comes out of the first one is not known here, so only its own input shape is."""
    layers = args.layers("layers")
    shapes = [inputs, *[()] * len(layers)]
    parts = [_built(layer, shape, build) for layer, shape in zip(layers, shapes, strict=False)]
    return args.part(children=members("layers", parts))


def pipeline_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Pipeline: what its last layer gives out, each fed with what comes out of the one before."""
    layers, inputs = args.layers("layers"), main(call)
    if not layers:
        raise args.error("layers", "at least one layer")
    for layer in layers[:-1]:
        outputs = infer(layer, Call((inputs,)))
        if len(outputs) != 1:
            return ()
        inputs = Tensor(layer.name, 0, 0, outputs[0])
    return infer(layers[-1], Call((inputs,)))


def time_distributed_work(run: Run) -> Work | None:
    """TimeDistributed: the layer it wraps, at each step."""
    shape = run.input
    if shape is None or len(shape) < 3 or shape[1] is None:
        return None
    work = run.work_of(run.args.layer("layer"), called_on((shape[0], *shape[2:])))
    return work and work.repeated(shape[1])


def wrapped_work(run: Run) -> Work | None:
    """SpectralNormalization: the layer it wraps, whose kernel has been normalized in training."""
    return run.work_of(run.args.layer("layer"), run.call)


def pipeline_work(run: Run) -> Work | None:
    """Pipeline: nothing in inference where its layers do nothing; what others compute is not counted."""
    works = [run.work_of(layer, run.call) for layer in run.args.layers("layers")]
    return counted() if all(work is not None and not work.flops for work in works) else None


def _kernel(args: Args, layer: Part) -> Slot:
    """The slot that SpectralNormalization borrows of its layer."""
    for slot in layer.slots:
        if slot.name in ("kernel", "embeddings"):
            owner = f"layer/{slot.borrowed}" if slot.borrowed else "layer"
            return Slot(slot.name, slot.shape, slot.dtype, slot.trainable, borrowed=owner)
    if layer.known:
        raise args.error("layer", "a layer with a kernel or embeddings")
    return Slot("kernel", None, args.variable_dtype, borrowed="layer")


def _built(layer: Args, inputs: Inputs, build: Build) -> Part:
    """The part of a layer that another holds, for the inputs that its own `build_config` states, for which Keras builds
    it before its holder, or else for these."""
    return build(layer, layer.built or inputs)


def _like(tensor: Tensor, shape: tuple[int | None, ...] | None) -> Tensor:
    return Tensor(tensor.layer, tensor.node, tensor.output, shape)


_PARAMETERS = ("inputs", "training", "mask")


def rows(weightless: Collection[str]) -> dict[str, LayerType]:
    """The rows of layers that hold others, given the classes that have no weights.

    Those of models say what a model is; its weights and outputs come from a walk through its layers.
    """
    model = LayerType(kind="model", masks=MaskUse.TAKEN, parameters=_PARAMETERS, takes_training=True)
    return {
        "Functional": model,
        "Pipeline": LayerType(
            pipeline_weights,
            pipeline_outputs,
            parameters=_PARAMETERS,
            work=pipeline_work,
            traits=Trait.LISTS | Trait.AUGMENTS,
        ),
        "Sequential": model._replace(traits=Trait.CHAIN),
        "SpectralNormalization": LayerType(
            spectral_normalization_weights,
            spectral_normalization_outputs(weightless),
            takes_training=True,
            work=wrapped_work,
        ),
        "TimeDistributed": LayerType(
            time_distributed_weights,
            time_distributed_outputs,
            masks=MaskUse.PASSED | MaskUse.TAKEN,
            takes_training=True,
            work=time_distributed_work,
            traits=Trait.STEPWISE,
        ),
        "Wrapper": LayerType(wrapper_weights),
    }
