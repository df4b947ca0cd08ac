"""The weights of any layer by its row in the table of layers, and of any model by its layers."""

from dataclasses import replace

from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.layers.table import row_of
from ckpttool.model.shape_inference import is_model, steps_of
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part, members


def part_of(class_name: str, args: Args, inputs: Inputs = ()) -> Part:
    """The weights of a layer of a class, for inputs of these shapes; shapes may be None or missing.

    The part of a class without a row, or of one that its config places outside Keras, is not `known`. An alias has the
    part of its class, whose name is used in paths. Raises ConfigError.
    """
    if args.operation:
        return replace(args.part(), listed=False)
    args = args.as_class(ALIASES.get(class_name, class_name))
    if is_model(args):
        return _model(args, inputs)
    row = row_of(args)
    return row.weights(args, inputs, _build) if row else args.part(known=False)


def _build(args: Args, inputs: Inputs) -> Part:
    return part_of(args.class_name, args, inputs)


def _model(args: Args, inputs: Inputs) -> Part:
    """The part of a Functional or Sequential model: its layers, for the input shapes that follow from connections."""
    layers = [_build(step.args, step.inputs) for step in steps_of(args, inputs)]
    if args.class_name == "Sequential":
        layers = [replace(layer, listed=layer.listed and layer.class_name != "InputLayer") for layer in layers]
    return replace(args.part(children=members("layers", layers)), is_model=True)
