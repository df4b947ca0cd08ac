"""Text from files cannot act on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.escape import first_of, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dense_1/kernel:0", "dense_1/kernel:0"),
        ("größe имя 名前 😀", "größe имя 名前 😀"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x7f\x80\x9b", "\\x7f\\x80\\x9b"),
        ("\u202eevil", "\\u202eevil"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ue000", "\\ue000"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("a\\b", "a\\b"),
        ("", ""),
    ],
)
def test_examples(text: str, shown: str) -> None:
    """Letters stay, and whatever could act on a terminal becomes an escape."""
    assert printable(text) == shown


@given(st.text(st.characters(), max_size=60))
def test_nothing_acts_on_a_terminal(text: str) -> None:
    """No control, format, separator, surrogate or private character gets through; the result is one line."""
    shown = printable(text)
    assert {unicodedata.category(char) for char in shown}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@given(st.text(st.characters(), max_size=60))
def test_twice_is_once(text: str) -> None:
    """Escaped text is shown as it is."""
    assert printable(printable(text)) == printable(text)


def test_long_text_is_cut_and_says_so() -> None:
    """A text above the limit is cut, and told how long it was."""
    assert printable("x" * 5000, 10) == "xxxxxxxxxx... (5,000 characters)"
    assert printable("x" * 10, 10) == "xxxxxxxxxx"
    assert printable("\x1b" * 11, 10).startswith("\\x1b" * 10 + "...")
    assert len(printable("x" * 10**6)) < 2100


def test_lists() -> None:
    """A long list is cut, and says how many entries more it has."""
    assert first_of([], 2) == ""
    assert first_of(["a", "b"], 2) == "a, b"
    assert first_of(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_of(["x"] * 1_235, 1) == "x and 1,234 more"
