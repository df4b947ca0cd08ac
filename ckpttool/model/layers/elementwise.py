"""Layers that give out the shape they take: activations, regularization, masking, scaling (keras/src/layers/
activations, regularization, core, preprocessing, 3.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.call_inputs import main, ranked, shapes, sole
from ckpttool.model.layers.layer_type import LayerType, MaskUse, Trait, each
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
    "Activation": LayerType(outputs=same, masks=MaskUse.PASSED, work=activation_work, traits=Trait.PASSES_DTYPE),
    **each("ELU LeakyReLU", LayerType(outputs=same, masks=MaskUse.PASSED, work=each_output(1))),
    "ReLU": LayerType(outputs=same, masks=MaskUse.PASSED, work=each_output(1), traits=Trait.PASSES_DTYPE),
    "Softmax": LayerType(
        outputs=same,
        masks=MaskUse.USED | MaskUse.TAKEN | MaskUse.PASSED,
        parameters=("inputs", "mask"),
        work=softmax_work,
    ),
    **each(
        "ActivityRegularization Dropout GaussianDropout GaussianNoise",
        LayerType(outputs=same, masks=MaskUse.PASSED, takes_training=True, work=no_work, traits=Trait.PASSES_DTYPE),
    ),
    "AlphaDropout": LayerType(outputs=same, masks=MaskUse.PASSED, takes_training=True, work=no_work),
    **{
        f"SpatialDropout{rank}D": LayerType(
            outputs=same_of_rank(rank + 2),
            masks=MaskUse.PASSED,
            takes_training=True,
            work=no_work,
            traits=Trait.PASSES_DTYPE,
        )
        for rank in (1, 2, 3)
    },
    "Identity": LayerType(outputs=same, masks=MaskUse.PASSED_NOW, work=no_work, traits=Trait.PASSES_DTYPE),
    "Rescaling": LayerType(outputs=same, masks=MaskUse.PASSED_NOW, work=each_output(2)),
    "Masking": LayerType(outputs=same, work=each_output(2), traits=Trait.PASSES_DTYPE),
}
