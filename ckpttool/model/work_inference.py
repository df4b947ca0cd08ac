"""The work of the layers of a model, call by call, from the shapes that go in and come out."""

from collections.abc import Iterator
from dataclasses import dataclass

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call
from ckpttool.model.layers.table import row_of
from ckpttool.model.layers.work import Run, Work, added
from ckpttool.model.output_rule import Outputs
from ckpttool.model.parts import part_of
from ckpttool.model.shape_inference import is_model, outputs_of, steps_of
from ckpttool.model.sizes import Inputs


@dataclass(frozen=True, slots=True)
class WorkStep:
    """One call of a layer that is no model: the names of models around it and its own, its outputs and its work."""

    path: str
    args: Args
    outputs: Outputs
    work: Work | None


def work_steps(model: Args, inputs: Inputs, prefix: str = "") -> Iterator[WorkStep]:
    """The calls of all layers of a model, those of a model in it for each call of that model. Raises ConfigError."""
    for step in steps_of(model, inputs):
        path = f"{prefix}{step.args.name}"
        calls = step.calls or (Call(),)
        for call, outputs in zip(calls, step.outputs, strict=False):
            if is_model(step.args):
                yield from work_steps(step.args, call.inputs, f"{path}/")
            else:
                yield WorkStep(path, step.args, outputs, _of_layer(step.args, call, outputs))


def work_of(args: Args, call: Call) -> Work | None:
    """The work of one call of a layer or model, None where it is not known. Raises ConfigError."""
    if is_model(args):
        return added(*(step.work for step in work_steps(args, call.inputs)))
    return _of_layer(args, call, outputs_of(args, call))


def _of_layer(args: Args, call: Call, outputs: Outputs) -> Work | None:
    if args.operation:
        from ckpttool.model.operations.work import work_of_operation  # few models have operations

        return None if args.foreign else work_of_operation(args, call, outputs)
    row = row_of(args)
    return (
        row.work(Run(args, call, outputs, work_of, lambda layer, inputs: part_of(layer.class_name, layer, inputs)))
        if row
        else None
    )
