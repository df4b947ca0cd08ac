"""Numbers as strangers store them: the one place where a stored value or text becomes a number.

Python's own conversions believe too much: `int` takes digits of every script, and raises for NaN, infinities and texts
of thousands of digits; `isdigit` is true for a superscript two, of which `int` makes nothing; `float` takes "nan".
The functions here give None for what is no such number, and raise nothing.
"""

import math
import re
from typing import SupportsFloat

LARGEST = 2**64  # more than any count, size or place that a file stores
_DIGITS = re.compile(r"[0-9]{1,18}")
_SIGNED = re.compile(r"-?[0-9]{1,18}")


def whole(value: object) -> int | None:
    """The whole number that a value is: a number without a fraction. A boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not (abs(value) < LARGEST and value.is_integer()):
        return None
    return int(value) if abs(value) < LARGEST else None


def truncated(value: object) -> int | None:
    """The number without its fraction, as `int` of Python gives it; true is 1."""
    if not isinstance(value, int | float) or not abs(value) < LARGEST:
        return None
    return int(value)


def real(value: object) -> float | None:
    """The finite number that a value is, as a float. A boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1.7e308:
        return None
    return float(value)


def as_float(value: SupportsFloat) -> float:
    """A number of NumPy, which may be NaN or infinite, as a float."""
    return float(value)


def digits(text: object) -> int | None:
    """The number that a text of digits is, 0 to 9 and no others, eighteen at most."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def signed_digits(text: object) -> int | None:
    """The number that a text of digits is, with or without a minus before them."""
    return int(text) if isinstance(text, str) and _SIGNED.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """The finite number that a text such as `-1.5e3` is."""
    if len(text) > 400 or not set(text) <= set("+-.0123456789eE"):
        return None
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def version_numbers(version: str | None, most: int) -> tuple[int, ...]:
    """The first numbers in a version such as `2.2.4-tf`, at most so many."""
    found = re.findall(r"[0-9]+", (version or "")[:200])
    return tuple(int(number[:9]) for number in found[:most])


def sizes(values: object) -> tuple[int, ...] | None:
    """The shape that a list of sizes is; None where one of them is no whole number from 0 on."""
    if not isinstance(values, list | tuple):
        return None
    found = [size for size in map(whole, values) if size is not None and size >= 0]
    return tuple(found) if len(found) == len(values) else None
