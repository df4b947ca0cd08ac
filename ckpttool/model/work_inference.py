"""The work of the layers of a model, call by call, from the shapes that go in and come out."""

from collections.abc import Iterator
from dataclasses import dataclass

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.table import FUNCTIONS, OLD_LAYERS, row_of
from ckpttool.model.layers.work import Run, Work, added, unknown_work
from ckpttool.model.output_rule import Outputs
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import is_model, outputs_of, steps_of
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One call of a layer that is no model: the names of models around it and its own, its outputs and its work.

    `reason` says why the work is not known; empty where it is.
    """

    path: str
    args: Args
    outputs: Outputs
    work: Work | None
    reason: str = ""


def work_steps(model: Args, inputs: Inputs, prefix: str = "") -> Iterator[WorkStep]:
    """The calls of all layers of a model, those of a model in it for each call of that model. Raises ConfigError."""
    for step in steps_of(model, inputs):
        path = f"{prefix}{step.args.name}"
        calls = step.calls or (Call(),)
        for call, outputs in zip(calls, step.outputs, strict=False):
            if is_model(step.args):
                yield from work_steps(step.args, call.inputs, f"{path}/")
            else:
                work = _work_of_layer(step.args, call, outputs)
                yield WorkStep(path, step.args, outputs, work, _reason(step.args, call) if work is None else "")


def work_of(args: Args, call: Call) -> Work | None:
    """The work of one call of a layer or model, None where it is not known. Raises ConfigError."""
    if is_model(args):
        return added(*(step.work for step in work_steps(args, call.inputs)))
    return _work_of_layer(args, call, outputs_of(args, call))


def _work_of_layer(args: Args, call: Call, outputs: Outputs) -> Work | None:
    if args.operation:
        from ckpttool.model.operations.work import work_of_operation  # few models have operations

        return None if args.foreign else work_of_operation(args, call, outputs)
    row = row_of(args)
    return row.work(Run(args, call, outputs, work_of, outputs_of, _weights)) if row else None


def _weights(layer: Args, inputs: Inputs) -> Part:
    return part_of(layer.class_name, layer, inputs)


def _reason(args: Args, call: Call) -> str:
    """The reason why the work of a call is not known."""
    if args.class_name in FUNCTIONS and not args.foreign:
        from ckpttool.model.tensorflow_ops.inference import why_unknown  # few models have such functions

        return why_unknown(args, call) or _reason_of_inputs(call)
    if args.operation and not args.foreign:
        from ckpttool.model.operations.work import RULES

        return _reason_of_inputs(call) if args.class_name in RULES else "how much it computes depends on its values"
    row = row_of(args)
    if row is None:
        return _reason_of_own_class(args)
    if row.work is not unknown_work:
        return _reason_of_inputs(call)
    holder = "a method of a class of TensorFlow: " if args.class_name in OLD_LAYERS else ""
    return f"{holder}its own code says what it computes"


def _reason_of_own_class(args: Args) -> str:
    """The reason why nothing is known of what a class computes."""
    from ckpttool.model.buildability.removed_classes import is_removed_layer  # few models have such classes

    known = not args.foreign and is_removed_layer(args.class_name)
    return f"{'a layer of older Keras' if known else 'no class of Keras'}: its own code says what it computes"


def _reason_of_inputs(call: Call) -> str:
    """The reason why the work of a call is not known although its layer has a rule."""
    if any(shape is None for shape in call.inputs) or not call.inputs:
        return "the shape of its input is not known"
    if any(None in (shape or ()) for shape in call.inputs):
        return "a size of its input is not known: give the shapes of the model's inputs with --input"
    return "its arguments or its weights leave a size open"
