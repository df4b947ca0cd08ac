"""One call of an operation, as data, and the ways to make many."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from ckpttool.model.operations.table import OPERATIONS


@dataclass(frozen=True, eq=False)
class Case:
    """One call of an operation, which is equal to itself alone."""

    class_name: str
    inputs: Sequence[Any]
    config: dict[str, Any]
    call: Callable[..., Any]
    dtype: str = "float32"

    def __str__(self) -> str:
        config = ",".join(f"{key}={value}" for key, value in self.config.items())
        return f"{self.class_name}({config}){list(self.inputs)}".replace(" ", "")


def case(
    class_name: str, *inputs: Any, call: Callable[..., Any] | None = None, of: str = "float32", **config: Any
) -> Case:
    """A case, called with its inputs where nothing else is said; `of` is what the inputs hold."""
    return Case(class_name, inputs, config, call or _plainly, of)


def _plainly(operation: Any, *inputs: Any) -> Any:
    return operation(*inputs)


def each(names: Iterable[str], *inputs: Any, **config: Any) -> list[Case]:
    """The same case for some classes."""
    return [case(name, *inputs, **config) for name in names]


def over(names: Iterable[str], inputs: Iterable[Sequence[Any]], *configs: dict[str, Any]) -> list[Case]:
    """Cases for every class, inputs and arguments."""
    return [case(name, *shapes, **config) for name, shapes, config in product(names, inputs, configs or ({},))]


def as_list(operation: Any, *inputs: Any) -> Any:
    """The call of an operation that takes a list of tensors."""
    return operation(list(inputs))


def lists(names: Iterable[str], inputs: Iterable[Sequence[Any]], *configs: dict[str, Any]) -> list[Case]:
    """As `over`, with the inputs in a list."""
    return [Case(name, shapes, config, as_list) for name, shapes, config in product(names, inputs, configs or ({},))]


def with_key(*key: Any) -> Case:
    """`x[key]` of an input with four axes."""
    return case("GetItem", (None, 5, None, 7), call=lambda operation, x: operation(x, key))


def like(class_name: str) -> tuple[str, ...]:
    """The classes that share the row of a class."""
    return tuple(name for name, rule in OPERATIONS.items() if rule is OPERATIONS[class_name])
