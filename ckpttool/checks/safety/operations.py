"""Rules about the operations in the graph of a SavedModel."""

from collections.abc import Iterator

from ckpttool.checks.limits import cap_findings
from ckpttool.checks.rule import Finding, Outcome, Rule, Severity, Unchecked
from ckpttool.checks.subject import Subject
from ckpttool.errors import CheckpointError
from ckpttool.formats.tensorflow.operations import operations_in
from ckpttool.paths import join_path

FILE_OPERATION = Rule(
    code="S111",
    name="graph-operation",
    family="safety",
    severity=Severity.ERROR,
    finds="An operation in the graph of a SavedModel that reads or writes files or runs code, but for the saver's own.",
    why="TensorFlow runs it when the model is loaded or called, with the rights of whoever does so.",
    remedy="Do not load it with TensorFlow. `ckpttool convert` copies config and weights, and no operation.",
)

RULES = (FILE_OPERATION,)


def operations(subject: Subject) -> Iterator[Outcome]:
    """The operations of a SavedModel that act outside its graph."""
    checkpoint = subject.checkpoint
    if checkpoint is None or checkpoint.kind != "saved-model":
        return
    try:
        dangerous = list(operations_in(checkpoint.path))
    except CheckpointError as error:
        yield Unchecked("saved_model.pb", error.what)
        return
    yield from cap_findings(
        Finding(
            FILE_OPERATION,
            join_path(operation.function, operation.name),
            f"{operation.kind} {operation.effect}",
        )
        for operation in dangerous
    )


CHECKS = (operations,)
