"""The expectations of a diff: layers that must not have changed, and layers that must have."""

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ckpttool.comparison.result import Diff, Pair
from ckpttool.comparison.weights import Unit
from ckpttool.errors import CheckpointError
from ckpttool.escape import brief


@dataclass(frozen=True, slots=True)
class UnmetExpectation:
    """A weight that is not as expected: `expected` is "frozen" or "changed", `actual` says how it is instead."""

    expected: str
    glob: str
    weight: str
    actual: str

    __repr__ = brief


def unmet_expectations(
    result: Diff, frozen: Iterable[str] = (), changed: Iterable[str] = ()
) -> tuple[UnmetExpectation, ...]:
    """The weights that a diff does not show as expected, by globs over layers, weights and paths.

    Raises CheckpointError for a glob that matches no weight on either side: nothing would be checked.
    """
    return (*_unmet(result, "frozen", frozen), *_unmet(result, "changed", changed))


def _unmet(result: Diff, expected: str, globs: Iterable[str]) -> Iterator[UnmetExpectation]:
    for glob in globs:
        fates = [(unit, fate) for units, fate in _fates(result) for unit in units[:1] if _any_matches(units, glob)]
        if not fates:
            raise CheckpointError(
                f"no weight matches {glob!r}, which is expected to be {expected}",
                path=f"{result.a.path}, {result.b.path}",
                expected="a glob over layers, weights or stored paths, such as 'backbone/*'",
            )
        yield from (
            UnmetExpectation(expected, glob, unit.name, fate) for unit, fate in fates if _breaks(expected, fate)
        )


def _fates(result: Diff) -> Iterator[tuple[tuple[Unit, ...], str]]:
    """The fate of each weight: the weight on both sides, or on one, and whether it was changed, removed or added."""
    yield from (((pair.a, pair.b), _fate(pair)) for pair in result.pairs)
    yield from (((unit,), "removed") for unit in result.removed)
    yield from (((unit,), "added") for unit in result.added)


def _fate(pair: Pair) -> str:
    if pair.problem:
        return "unreadable"
    if pair.comparison is None:
        return "reshaped"
    if pair.changed:
        return f"changed, relative {pair.comparison.relative_l2:.4g}"
    return "unchanged" if pair.a.dtype == pair.b.dtype else "of another dtype"


def _breaks(expected: str, fate: str) -> bool:
    return fate != "unchanged" if expected == "frozen" else not fate.startswith(("changed", "reshaped", "added"))


def _any_matches(units: Iterable[Unit], glob: str) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for unit in units for name in unit.names)
