"""Inputs, Lambda, the base of all layers (keras/src/layers/core, keras/src/layers/layer.py, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import main, shapes
from ckpttool.model.layers.layer_type import LayerType, MaskUse, Trait
from ckpttool.model.layers.work import no_work
from ckpttool.model.output_rule import Infer, Outputs
from ckpttool.model.sizes import read_shape


def input_layer_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """InputLayer: the shape it declares, with the batch or beside it."""
    for key in ("batch_shape", "batch_input_shape"):
        if key in args:
            return (args.shape(key),)
    for key in ("shape", "input_shape"):
        if key in args:
            return ((args.integer("batch_size"), *args.shape(key)),)
    return shapes(main(call)) or (None,)


def lambda_outputs(args: Args, call: Call, infer: Infer) -> Outputs:
    """Lambda: the `output_shape` that its config states, behind the batch of its first input; else unknown."""
    output_shape = read_shape(args.config.get("output_shape"))
    inputs = shapes(main(call))
    if output_shape is None or not inputs:
        return ()
    return ((inputs[0][0] if inputs[0] else None, *output_shape),)


ROWS = {
    "InputLayer": LayerType(outputs=input_layer_outputs, masks=MaskUse.PASSED, work=no_work, traits=Trait.INPUT),
    "Lambda": LayerType(
        outputs=lambda_outputs, parameters=("inputs", "mask", "training"), takes_training=True, traits=Trait.CODE
    ),
    "Layer": LayerType(),
}
