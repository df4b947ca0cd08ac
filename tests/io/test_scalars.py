"""Numbers as strangers store them: what is a number is taken exactly, all else is none, and nothing raises."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.io import scalars

ODD: list[Any] = [
    None, True, False, "", "²", "٣", "1_000", " 7", "+7", "nan", "0x10", math.nan, math.inf, -math.inf, 10**4299,
    -(10**4299), "9" * 5000, 1.5, [], {}, [1], b"1", 1e308,
]  # fmt: skip


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_no_whole_numbers(value: Any) -> None:
    """Booleans, NaN, infinities, fractions, numbers beyond any count, and anything that is no number are none."""
    assert scalars.whole(value) is None
    assert scalars.digits(value) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers(value: int) -> None:
    """A whole number is itself, exactly, also beyond the whole numbers of floats."""
    assert scalars.whole(value) == value
    assert scalars.truncated(value) == value
    assert scalars.real(value) == float(value)


@given(st.integers(0, 10**18 - 1))
def test_digits(value: int) -> None:
    """Texts of the ten digits are numbers, with a minus where one is allowed."""
    assert scalars.digits(str(value)) == value
    assert scalars.signed_digits(f"-{value}") == -value
    assert scalars.digits(f"-{value}") is None


@given(st.one_of(st.text(st.characters(categories=["N"]), min_size=1), st.floats(), st.none(), st.text()))
def test_nothing_raises(value: Any) -> None:
    """The answer for any stored value is a finite number or none."""
    answers = [scalars.whole(value), scalars.real(value), scalars.truncated(value), scalars.digits(value)]
    assert all(answer is None or math.isfinite(answer) for answer in answers)
    if isinstance(value, str):
        assert scalars.decimal(value) is None or math.isfinite(scalars.decimal(value) or 0)
        assert all(number >= 0 for number in scalars.version_numbers(value, 3))


def test_versions_and_shapes() -> None:
    """The numbers of a version are those of its digits; a shape is of whole numbers from 0 on."""
    assert scalars.version_numbers("2.2.4-tf", 3) == (2, 2, 4)
    assert scalars.version_numbers("٢.²", 3) == ()
    assert scalars.version_numbers(None, 3) == ()
    assert scalars.sizes([2, 3.0]) == (2, 3)
    assert scalars.sizes([2, -1]) is None
    assert scalars.sizes([[]]) is None
    assert scalars.sizes("12") is None
