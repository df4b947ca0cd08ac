"""Layers that give out the shape they take: activations, regularization, masking, scaling (keras/src/layers/
activations, regularization, core, preprocessing, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import main, ranked, shapes, sole
from ckpttool.model.layers.layer_type import LayerType, MaskUse, each
from ckpttool.model.layers.work import activation_work, each_output, no_work, softmax_work
from ckpttool.model.output_rule import Infer, Outputs, Rule


def same(args: Args, call: Call, infer: Infer) -> Outputs:
    """The shapes of the inputs, be it one tensor or several."""
    return shapes(main(call))


def same_of_rank(rank: int) -> Rule:
    """A layer that takes inputs with so many axes only."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        return (ranked(args, sole(args, call), rank),)

    return rule


ROWS = {
    "Activation": LayerType(outputs=same, masks=MaskUse.PASSED, work=activation_work),
    **each("ELU LeakyReLU ReLU", LayerType(outputs=same, masks=MaskUse.PASSED, work=each_output(1))),
    "Softmax": LayerType(
        outputs=same,
        masks=MaskUse.USED | MaskUse.TAKEN | MaskUse.PASSED,
        parameters=("inputs", "mask"),
        work=softmax_work,
    ),
    **each(
        "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise",
        LayerType(outputs=same, masks=MaskUse.PASSED, takes_training=True, work=no_work),
    ),
    **{
        f"SpatialDropout{rank}D": LayerType(
            outputs=same_of_rank(rank + 2), masks=MaskUse.PASSED, takes_training=True, work=no_work
        )
        for rank in (1, 2, 3)
    },
    "Identity": LayerType(outputs=same, masks=MaskUse.PASSED_NOW, work=no_work),
    "Rescaling": LayerType(outputs=same, masks=MaskUse.PASSED_NOW, work=each_output(2)),
    "Masking": LayerType(outputs=same, work=each_output(2)),
}
