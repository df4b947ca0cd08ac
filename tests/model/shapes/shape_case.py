"""One call of a layer, as data, and the ways to make many."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.graph import Call, Tensor
from ckpttool.model.layers.table import output_shapes
from ckpttool.model.output_rule import Outputs
from ckpttool.model.sizes import Shape
from tests.model.layer_cases import Spec, settings

FORMATS = (..., "channels_first")


@dataclass(frozen=True)
class Case:
    """One call of a layer. Tuples among the arguments are shapes of inputs; `dtype` is what they hold."""

    spec: Spec
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{self.spec}{list(self.args)}{self.kwargs or ''}"

    __repr__ = __str__


def calls(class_name: str, inputs: Iterable[Any], dtype: str = "float32", **choices: tuple[Any, ...]) -> Iterator[Case]:
    """All combinations of arguments and inputs."""
    inputs = list(inputs)
    for kwargs in settings(**choices):
        for shape in inputs:
            yield Case(Spec(class_name, kwargs), (shape,), dtype=dtype)


def images(rank: int, *more: Any) -> list[Any]:
    """Inputs with so many axes of space: of odd and even sizes, unknown ones, small ones, and one with too few axes."""
    space = ((9, 8, 7), (8, 11, 6), (None, 5, None), (2, 1, 3))
    shapes: list[Any] = [(None, *sizes[:rank], 4) for sizes in space]
    return [*shapes, (2, 4, *(None,) * rank), (None,) * (rank + 1), (5, 5), *more]


def plain(value: Any) -> Any:
    """The config of a spec with no more than it says."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, Spec):
        return value
    return {"class_name": value.class_name, "config": {key: plain(item) for key, item in value.kwargs.items()}}


def filled(value: Any, leaf: Any) -> Any:
    """The arguments of a case with something in place of each shape."""
    if isinstance(value, list):
        return [filled(entry, leaf) for entry in value]
    if isinstance(value, dict):
        return {key: filled(entry, leaf) for key, entry in value.items()}
    return leaf(value) if isinstance(value, tuple) else value


def tensor(shape: Shape) -> Tensor:
    """An input of a shape."""
    return Tensor("input", 0, 0, shape)


def blank(shape: Shape) -> Tensor:
    """An input of unknown shape."""
    return Tensor("input", 0, 0)


def infer(args: Args, call: Call) -> Outputs:
    """The output shapes of any layer by the table."""
    return output_shapes(args, call, infer)


def shapes_of(entry: dict[str, Any], case: Case, leaf: Any = tensor) -> Outputs:
    """The output shapes of a case by the table."""
    return infer(Args.of(entry), Call(tuple(filled(list(case.args), leaf)), filled(case.kwargs, leaf)))
