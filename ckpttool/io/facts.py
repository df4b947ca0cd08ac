"""Facts that follow from a value, worked out once and stored with it."""

from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

from ckpttool.errors import CheckpointError

P = ParamSpec("P")
Fact = TypeVar("Fact")


class Facts:
    """The facts that are known of one value, by name. The error of a fact that cannot be worked out is stored too.

    Values are frozen, so a fact stays true; a changed copy of a value begins without facts.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def once(self, name: Hashable, work: Callable[P, Fact], *args: P.args, **named: P.kwargs) -> Fact:
        """The fact of this name, worked out where it is asked for first. Raises CheckpointError where `work` did."""
        if name not in self._known:
            try:
                self._known[name] = work(*args, **named)
            except CheckpointError as error:
                self._known[name] = error
        fact = self._known[name]
        if isinstance(fact, CheckpointError):
            raise fact
        return fact  # type: ignore[no-any-return]
