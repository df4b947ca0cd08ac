"""Layers that no Keras 3 has any more (keras/layers/core.py, 1.2.2; keras/legacy/layers.py, keras/layers/local.py and
cudnn_recurrent.py, 2.2.4; keras/src/layers/kernelized.py, 2.15)."""

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.outputs.call_inputs import ranked, sole
from ckpttool.model.layers.outputs.rule import Infer, Outputs, Rule
from ckpttool.model.layers.removed import places


def projected(args: Args, call: Call, infer: Infer) -> Outputs:
    """MaxoutDense and RandomFourierFeatures: `output_dim` features."""
    shape = ranked(args, sole(args, call), 2) or (None, None)
    return ((shape[0], args.size("output_dim")),)


def locally_connected(rank: int) -> Rule:
    """LocallyConnected1D and 2D: what a convolution makes of the axes of space."""

    def rule(args: Args, call: Call, infer: Infer) -> Outputs:
        shape = ranked(args, sole(args, call), rank + 2)
        _, space = places(args, (shape,), rank)
        batch, filters = shape[0] if shape else None, args.size("filters")
        first = args.config.get("data_format") == "channels_first"
        return ((batch, filters, *space) if first else (batch, *space, filters),)

    return rule
