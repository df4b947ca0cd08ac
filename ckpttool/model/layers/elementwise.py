"""Layers that give out the shape they take: activations, regularization, masking, scaling (keras/src/layers/
activations, regularization, core, preprocessing, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import main, ranked, shapes, sole
from ckpttool.model.layers.layer_type import LayerType, MaskUse, each
from ckpttool.model.output_rule import Infer, Outputs, Rule


def same(args: Args, call: Call, infer: Infer) -> Outputs:
    """What comes in comes out, be it one tensor or several."""
    return shapes(main(call))


def same_of_rank(rank: int) -> Rule:
    """A layer that takes inputs with so many axes only."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        return (ranked(args, sole(args, call), rank),)

    return rule


ROWS = {
    **each("Activation ELU LeakyReLU ReLU", LayerType(outputs=same, masks=MaskUse.PASSED)),
    "Softmax": LayerType(
        outputs=same, masks=MaskUse.USED | MaskUse.TAKEN | MaskUse.PASSED, parameters=("inputs", "mask")
    ),
    **each(
        "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise",
        LayerType(outputs=same, masks=MaskUse.PASSED, takes_training=True),
    ),
    **{
        f"SpatialDropout{rank}D": LayerType(outputs=same_of_rank(rank + 2), masks=MaskUse.PASSED, takes_training=True)
        for rank in (1, 2, 3)
    },
    **each("Identity Rescaling", LayerType(outputs=same, masks=MaskUse.PASSED_NOW)),
    "Masking": LayerType(outputs=same),
}
