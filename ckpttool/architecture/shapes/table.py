"""The table of output shapes."""

from ckpttool.architecture.args import Args
from ckpttool.architecture.graph import Call
from ckpttool.architecture.shapes.call import Infer, Outputs


def output_shapes(args: Args, call: Call, infer: Infer) -> Outputs:
    """The shapes of what comes out of a layer for one call."""
    return ()
