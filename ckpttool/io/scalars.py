"""Numbers as strangers store them: the one place where a stored value or text becomes a number.

Python's own conversions believe too much: `int` takes digits of every script, and raises for NaN, infinities and texts
of thousands of digits; `isdigit` is true for a superscript two, of which `int` makes nothing; `float` takes "nan".
The functions here return None for a value that is no such number, and raise nothing.
"""

import math
import re
from typing import SupportsFloat

LARGEST = 2**64  # more than any count, size or place that a file stores
_DIGITS = re.compile(r"[0-9]{1,18}")
_SIGNED = re.compile(r"-?[0-9]{1,18}")


def whole(value: object) -> int | None:
    """The value as a whole number, None where it is a boolean, no number, or has a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not (abs(value) < LARGEST and value.is_integer()):
        return None
    return int(value) if abs(value) < LARGEST else None


def truncated(value: object) -> int | None:
    """The number without its fraction, as Python's `int` returns it; true is 1."""
    if not isinstance(value, int | float) or not abs(value) < LARGEST:
        return None
    return int(value)


def real(value: object) -> float | None:
    """The value as a finite float, None where it is a boolean or no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1.7e308:
        return None
    return float(value)


def as_float(value: SupportsFloat) -> float:
    """A number of NumPy, which may be NaN or infinite, as a float."""
    return float(value)


def digits(text: object) -> int | None:
    """The number that a text spells with digits 0 to 9, eighteen at most."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else None


def signed_digits(text: object) -> int | None:
    """The number that a text spells with digits 0 to 9, eighteen at most, and perhaps a minus sign."""
    return int(text) if isinstance(text, str) and _SIGNED.fullmatch(text) else None


def decimal(text: str) -> float | None:
    """The finite number that a text such as `-1.5e3` spells."""
    if len(text) > 400 or not set(text) <= set("+-.0123456789eE"):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def version_numbers(version: str | None, most: int) -> tuple[int, ...]:
    """The first numbers in a version such as `2.2.4-tf`, at most `most`."""
    numbers = re.findall(r"[0-9]+", (version or "")[:200])
    return tuple(int(number[:9]) for number in numbers[:most])


def sizes(values: object) -> tuple[int, ...] | None:
    """The shape that a list of sizes states; None where one of them is no whole number of at least 0."""
    if not isinstance(values, list | tuple):
        return None
    numbers = [size for size in map(whole, values) if size is not None and size >= 0]
    return tuple(numbers) if len(numbers) == len(values) else None
