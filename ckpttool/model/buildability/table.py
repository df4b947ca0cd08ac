"""The constructors of Keras 3.15: which arguments each class takes, and what values.

`constructors.json` beside this module holds them; `python -m tests.recorded` writes
it from what live Keras took and refused. A rule is the name of a function in `rules`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """The arguments that a class takes.

    `kind` is layer, operation, optimizer, loss and so on. `open` classes take any argument, `required` are those that
    a config has to have, `rules` what each may be. `call` are the arguments of a layer's call, `*` behind what has no
    default, `*` and `**` for any others; `ranks` the least and largest number of axes of its one input, None where any
    will do. `loose` layers may be called on more than tensors, `fixed` ones on inputs like those of the first call
    only.
    """

    kind: str
    open: bool = False
    callable: bool = False
    required: tuple[str, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    call: tuple[str, ...] = ()
    ranks: tuple[int | None, int | None] | None = None
    loose: bool = False
    fixed: bool = False

    @property
    def is_operation(self) -> bool:
        """Whether its objects can stand in a graph."""
        return self.kind in ("layer", "operation")


def row_of(place: str) -> Row | None:
    """The row of the class at a place; None for a class that is not made from a config."""
    return _table().get(place)


@cache
def _table() -> Mapping[str, Row]:
    constructors = json.loads(Path(__file__).with_name("constructors.json").read_text("utf-8"))
    return {place: _row(value) for place, value in constructors["classes"].items()}


def _row(value: Mapping[str, Any]) -> Row:
    ranks = value.get("ranks")
    return Row(
        value["kind"],
        value.get("open", False),
        value.get("callable", False),
        tuple(value.get("required", "").split()),
        {argument: rule for rule, names in value.get("rules", {}).items() for argument in names.split()},
        tuple(value.get("call", "").split()),
        None if ranks is None else (ranks[0], ranks[1]),
        value.get("loose", False),
        value.get("fixed", False),
    )
