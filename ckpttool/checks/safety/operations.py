"""Rules about the operations in the graph of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome, Rule, Severity, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError
from ckpttool.paths import join_path

if TYPE_CHECKING:
    from ckpttool.formats.tensorflow.operations import Operation

FILE_OPERATION = Rule(
    code="S111",
    name="graph-operation",
    family="safety",
    severity=Severity.ERROR,
    finds="An operation in the graph of a SavedModel that touches files, asks servers, runs code or ends the process, "
    "but for the saver's own.",
    why="TensorFlow runs it when the model is loaded or called, with the rights of whoever does so.",
    remedy="Do not load it with TensorFlow. `ckpttool convert` copies config and weights, and no operation.",
)

CUSTOM_OPERATION = Rule(
    code="S112",
    name="custom-operation",
    family="safety",
    severity=Severity.WARNING,
    finds="An operation in the graph of a SavedModel that no TensorFlow from 1.15 to 2.21 has itself.",
    why="TensorFlow runs it only with the library of machine code that defines it, which can do anything.",
    remedy="Load it only where you know that library. `ckpttool convert` copies config and weights, and no operation.",
)

RULES = (FILE_OPERATION, CUSTOM_OPERATION)


def operations(subject: Subject) -> Iterator[Outcome]:
    """The operations of a SavedModel that act outside its graph, and the kinds of those that are not TensorFlow's."""
    checkpoint = subject.checkpoint
    if checkpoint is None or not checkpoint.format.is_saved_model:
        return
    from ckpttool.formats.tensorflow.operations import CUSTOM, operations_in  # here, since other formats have no graph

    try:
        reported = list(operations_in(checkpoint.path))
    except CheckpointError as error:
        yield Unchecked("saved_model.pb", error.what)
        return
    yield from cap_findings(
        Finding(FILE_OPERATION, _place(operation), f"{operation.kind} {operation.effect}")
        for operation in reported
        if operation.effect != CUSTOM
    )
    custom = {operation.kind: operation for operation in reversed(reported) if operation.effect == CUSTOM}
    yield from cap_findings(
        Finding(CUSTOM_OPERATION, _place(operation), f"{kind} is no operation of TensorFlow")
        for kind, operation in sorted(custom.items())
    )


def _place(operation: Operation) -> str:
    return join_path(operation.function, operation.name)


CHECKS = (operations,)
