"""JSON from strangers: bounded, and every fault a `CheckpointError`."""

import json
import math
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool import CheckpointError, CorruptFileError, UnsafeFileError
from ckpttool.io import json_text
from ckpttool.io.budget import Budget
from ckpttool.io.json_text import MAX_BYTES, MAX_DEPTH, parse

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_valid_json_is_read_as_json_reads_it(value: Any) -> None:
    """A text that `json` writes comes back, without oddities."""
    text = json.dumps(value)
    assert parse(text, "it").value == value
    assert parse(text.encode(), "it") == parse(text, "it")
    assert parse(text, "it").oddities == ()


@given(st.binary(max_size=200) | st.text("[]{},:\"'0123456789.eE+-truefalsn \\", max_size=12).map(str.encode))
def test_noise_is_a_checkpoint_error(raw: bytes) -> None:
    """Bytes of any kind are read as `json` reads them, and refused where it refuses them."""
    try:
        expected = json.loads(raw)
    except ValueError:
        with pytest.raises(CheckpointError):
            parse(raw, "it")
    else:
        assert repr(parse(raw, "it").value) == repr(expected)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_encodings(encoding: str) -> None:
    """Each encoding of JSON is read; the wide ones are said to be odd."""
    document = parse('{"größe": 1}'.encode(encoding), "it")
    assert document.value == {"größe": 1}
    assert bool(document.oddities) is not encoding.startswith("utf-8")


@pytest.mark.parametrize("raw", [b"\xff\xfe\xff", b'{"a": "\xff"}', b"\xfe\xff\x00"])
def test_wrong_encoding(raw: bytes) -> None:
    """Bytes that are no text in the encoding they seem to have are refused."""
    with pytest.raises(CorruptFileError, match="it is no"):
        parse(raw, "it")


@pytest.mark.parametrize("text", ["", "{", "[1,]", "{1: 2}", "nul", '"\n"', "1 2", "{'a': 1}", "\x00"])
def test_no_json(text: str) -> None:
    """A text that is no JSON is refused, and the error says where it stops being one."""
    with pytest.raises(CorruptFileError, match="it is no valid JSON") as caught:
        parse(text, "it")
    assert caught.value.found


@pytest.mark.parametrize(
    ("size", "message"), [(20_000, r"^it has more than 1\d,\d{3} layers, more than are"), (90_000, "keys and values")]
)
def test_many_layers_are_no_accusation(size: int, message: str) -> None:
    """A text with more layers than are read is refused with their number and with what to do, as a large model is no
    attack."""
    layer = json.dumps({"class_name": "Activation", "config": {"name": "a", "activation": "relu"}})
    text = f'{{"class_name": "Sequential", "config": {{"layers": [{", ".join([layer] * size)}]}}}}'
    with pytest.raises(UnsafeFileError, match=message) as caught:
        parse(text, "it", Budget(0, 4_000_000))
    assert "smaller model" in caught.value.hint


def test_many_values_are_no_model() -> None:
    """A text with more values than are read, and no layer, is refused without a word of models."""
    with pytest.raises(UnsafeFileError, match="keys and values") as caught:
        parse(f"[{'0,' * 2_000_000}0]", "it")
    assert not caught.value.hint


@pytest.mark.parametrize("opening", ["[", '{"class_name": "Sequential", "config":'])
def test_many_levels_are_an_accusation(opening: str) -> None:
    """A text that nests deeper than any model, and costs more than it is worth, ends what is read of its file."""
    budget = Budget(0)
    with pytest.raises(UnsafeFileError, match="more work than a file of its size"):
        parse('{"class_name": "é", "[[": ' + opening * 100_000, "it", budget)
    with pytest.raises(UnsafeFileError, match="more work than a file of its size"):
        budget.spend(1)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth(opening: str) -> None:
    """Depth is bounded, below and above what the parser's recursion allows, closed or not."""
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    for depth in (MAX_DEPTH + 2, 2_000, 15_000):
        with pytest.raises(CheckpointError, match="nested too deeply"):
            parse(nested(depth), "it")
    with pytest.raises(CheckpointError):
        parse(opening * 100_000, "it")
    assert parse(nested(500), "it").value


def test_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text above the limit is refused before it is parsed."""
    monkeypatch.setattr(json_text, "MAX_BYTES", 10)
    with pytest.raises(UnsafeFileError, match="it is too large") as caught:
        parse(b" " * 11, "it")
    assert "found: 11 bytes" in str(caught.value)
    assert parse(b"[1,2,3,4]", "it").value == [1, 2, 3, 4]
    assert MAX_BYTES == 64 << 20


def test_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of too many elements is refused before it is parsed."""
    monkeypatch.setattr(json_text.json, "loads", parsed := Mock())
    with pytest.raises(UnsafeFileError, match="1,000,000 keys and values, more than are read"):
        parse("[" + "[]," * 1_000_000 + "1]", "it")
    parsed.assert_not_called()


def test_big_integers() -> None:
    """An integer of absurd length is refused; one of a few hundred digits is read."""
    with pytest.raises(CorruptFileError, match="it is no valid JSON"):
        parse("1" * 100_000, "it")
    assert parse("1" * 300, "it").value == int("1" * 300)


def test_oddities() -> None:
    """Repeated keys and constants that JSON does not have are read as Python reads them, and named."""
    document = parse('{"a": 1, "a": [NaN, Infinity, -Infinity]}', "it")
    assert math.isnan(document.value["a"][0])
    assert document.value["a"][1:] == [math.inf, -math.inf]
    oddities = {oddity.kind: oddity.text for oddity in document.oddities}
    assert sorted(oddities) == ["ambiguous", "nonstandard"]
    assert "repeats a key" in oddities["ambiguous"]
    assert "NaN" in oddities["nonstandard"]
