"""All that live Keras is asked about operations, each with its question."""

from typing import Any

from tests.model.shapes.neural_operation_shape_cases import OTHER_CASES, REFUSED
from tests.model.shapes.operation_case import Case, case
from tests.model.shapes.operation_shape_cases import ARRAY_CASES
from tests.recorded import numbered


def _increment(x: Any) -> Any:
    return x + 1


TAKEN: tuple[Case, ...] = (*ARRAY_CASES, *OTHER_CASES)
CALLING: tuple[Case, ...] = (
    case("Map", (None, 3), call=lambda operation, x: operation(_increment, x)),
    case("VectorizedMap", (None, 3), function=_increment),
)
"""Operations that call a function."""


def _by_question(kind: str, cases: tuple[Case, ...]) -> dict[str, Case]:
    return dict(zip(numbered(f"{kind} {case}" for case in cases), cases, strict=True))


QUESTIONS: dict[str, dict[str, Case]] = {
    "takes": _by_question("takes", TAKEN),
    "calls": {f"calls {case.class_name}": case for case in CALLING},
    "refuses": _by_question("refuses", REFUSED),
}
"""The cases by their questions, by what Keras does with them."""
