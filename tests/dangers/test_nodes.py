"""The operation of a node of a TensorFlow graph, in every form that a config may have it in."""

import json
from typing import Any

import pytest

from ckpttool.dangers.nodes import operations_of


def number(value: int) -> bytes:
    """A number of variable length."""
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])


def texts(*fields: tuple[int, bytes]) -> str:
    """A message of texts, each with the number of its field, as a config stores it."""
    return b"".join(number(of << 3 | 2) + number(len(value)) + value for of, value in fields).decode()


NAME, OP, INPUT = (1, b"n"), (2, b"ReadFile"), (3, b"x:0")
CASES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "an object": ({"name": "n", "op": "ReadFile"}, ("ReadFile",)),
    "an object without an operation": ({"name": "n"}, ()),
    "an operation that is no text": ({"op": 3}, ()),
    "JSON": (json.dumps({"name": "n", "op": "ReadFile"}), ("ReadFile",)),
    "JSON behind spaces": ('  {"op": "ReadFile"}', ("ReadFile",)),
    "JSON that is cut off": ('{"op": "ReadFile"', ()),
    "JSON in JSON": (json.dumps({"op": {"op": "ReadFile"}}), ()),
    "a list": (["ReadFile"], ()),
    "nothing": (None, ()),
    "no text": ("", ()),
    "a message": (texts(NAME, OP, INPUT), ("ReadFile",)),
    "two operations": (texts(OP, NAME, (2, b"Tanh")), ("ReadFile", "Tanh")),
    "an operation twice": (texts(OP, OP), ("ReadFile",)),
    "no operation": (texts(NAME, INPUT), ()),
    "an empty field": (texts((1, b""), OP), ()),
    "another wire type": ("\x08\x01" + texts(OP), ()),
    "a field that is cut off": (texts(NAME, OP)[:-1], ()),
    "a length that is not there": (texts(OP) + "\x12", ()),
    "half a character": ("\ud800", ()),
}


@pytest.mark.parametrize("name", CASES)
def test_operations(name: str) -> None:
    """The operations that a reader could find there; none where bytes are no node."""
    node_def, expected = CASES[name]
    assert operations_of(node_def) == expected


def test_lengths_of_several_bytes() -> None:
    """A length of 16,450 has the bytes C2 80 01, which are text as well; less than that is no node."""
    start = (number(1 << 3 | 2) + number(16_450)).decode()
    assert operations_of(start + "n" * 16_450 + texts(OP)) == ("ReadFile",)
    assert operations_of(start + texts(OP)) == ()


def test_a_number_without_end() -> None:
    """A number of more than ten bytes is none."""
    assert operations_of("\u0080" * 12) == ()
    assert operations_of("\n" + b"\xf4\x8f\xbf\xbf".decode() * 4) == ()
