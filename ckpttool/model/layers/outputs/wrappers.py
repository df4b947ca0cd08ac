"""Layers that hold others (keras/src/layers/rnn/time_distributed.py, normalization/spectral_normalization.py,
preprocessing/pipeline.py, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.outputs.call_inputs import at_least, flat, main, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs
from ckpttool.model.layers.weightless import NAMES


def time_distributed(args: Args, call: Call, infer: Infer) -> Outputs:
    """TimeDistributed: what its layer makes of one step, with the axis of time put back behind the batch.

    Unknown for several inputs or outputs, which Keras 3 does not run.
    """
    held, given = args.layer("layer"), list(flat(main(call)))
    if len(given) != 1:
        return ()
    shape = at_least(args, given[0].shape, 3)
    step = None if shape is None else (shape[0], *shape[2:])
    found = infer(held, Call((_like(given[0], step),)))
    if len(found) != 1:
        return ()
    made = found[0]
    return (None if shape is None or not made else (made[0], shape[1], *made[1:]),)


def spectral_normalization(args: Args, call: Call, infer: Infer) -> Outputs:
    """SpectralNormalization: what its layer gives out."""
    held = args.layer("layer")
    if held.class_name in NAMES and not held.foreign:
        raise args.error("layer", "a layer with a kernel or embeddings")
    at_least(args, sole(args, call), 1)
    return infer(held, Call(call.args[:1], {} if call.args else call.kwargs))


def pipeline(args: Args, call: Call, infer: Infer) -> Outputs:
    """Pipeline: what its last layer gives out, each fed with what comes out of the one before."""
    layers, given = args.layers("layers"), main(call)
    if not layers:
        raise args.error("layers", "at least one layer")
    for layer in layers[:-1]:
        found = infer(layer, Call((given,)))
        if len(found) != 1:
            return ()
        given = Tensor(layer.name, 0, 0, found[0])
    return infer(layers[-1], Call((given,)))


def _like(tensor: Tensor, shape: tuple[int | None, ...] | None) -> Tensor:
    return Tensor(tensor.layer, tensor.node, tensor.output, shape)
