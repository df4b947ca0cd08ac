"""The natural order of names: runs of digits count by their value."""

import re

from ckpttool.io import scalars

_COMPARED = 200  # characters of a name that are compared by the values of numbers in them
_DIGITS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A sort key by which runs of digits count by value: `2` before `10`, `dense_2` before `dense_10`."""
    parts = _DIGITS.split(name[:_COMPARED])  # every second one is digits
    key = [(0, scalars.digits(part[:18]) or 0, part) if n & 1 else (1, 0, part) for n, part in enumerate(parts) if part]
    return [*key, (1, 0, name[_COMPARED:])] if len(name) > _COMPARED else key
