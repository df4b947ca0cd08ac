"""Stored bytes become the right numbers, for every dtype that Keras has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool import UnsupportedError
from ckpttool.io.dtypes import DTYPES, itemsize, little_endian, values_of

PLAIN = [name for name in DTYPES if not name.startswith(("bfloat", "float8"))]


def test_table() -> None:
    """Each size is that of the stored code."""
    assert len(DTYPES) == 17
    for name, (size, code) in DTYPES.items():
        assert np.dtype(code).itemsize == size == itemsize(name)
    assert itemsize("string") is None


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("name", PLAIN)
def test_plain_dtypes(name: str, big_endian: bool) -> None:
    """Values in either byte order come in native order, bit by bit the same."""
    order = ">" if big_endian else "<"
    values = np.arange(7).astype(name) * (1 if name == "bool" else 3)
    raw = values.astype(order + DTYPES[name][1]).tobytes()
    arrays = values_of(raw, name, big_endian)
    assert arrays.dtype == np.dtype(name)
    assert arrays.dtype.isnative
    assert arrays.tobytes() == values.astype(name).tobytes()


@pytest.mark.parametrize("container", [bytes, bytearray, memoryview])
def test_any_buffer(container: type) -> None:
    """Bytes come in any kind of buffer."""
    raw = np.arange(4, dtype="<f4").tobytes()
    assert values_of(container(raw), "float32", False).tolist() == [0, 1, 2, 3]
    assert bytes(little_endian(container(raw), "float32", False)) == raw


@given(st.lists(st.integers(0, 2**16 - 1), max_size=50))
def test_bfloat16_is_the_upper_half_of_float32(codes: list[int]) -> None:
    """Widening keeps every bit, NaN payloads included."""
    stored = np.array(codes, "<u2")
    values = values_of(stored.tobytes(), "bfloat16", False)
    assert values.dtype == np.float32
    assert values.view(np.uint32).tolist() == [code << 16 for code in codes]
    swapped = values_of(stored.astype(">u2").tobytes(), "bfloat16", True)
    assert swapped.tobytes() == values.tobytes()


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_floats_against_ml_dtypes(name: str) -> None:
    """Every code of the narrow formats has the value that ml_dtypes gives it."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes comes with TensorFlow, which is not installed")
    width = itemsize(name) or 0
    codes = np.arange(256**width, dtype=f"<u{width}")
    values = values_of(codes.tobytes(), name, False)
    expected = codes.view(getattr(ml_dtypes, name)).astype(np.float32)
    assert values.dtype == np.float32
    assert np.array_equal(values, expected, equal_nan=True)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.signbit(values[numbers]), np.signbit(expected[numbers]))


@pytest.mark.parametrize(
    ("name", "code", "value"),
    [
        ("float8_e4m3fn", 0x7E, 448.0),
        ("float8_e4m3fn", 0x01, 2.0**-9),
        ("float8_e4m3fn", 0xB8, -1.0),
        ("float8_e5m2", 0x7B, 57344.0),
        ("float8_e5m2", 0x01, 2.0**-16),
        ("float8_e5m2", 0x7C, np.inf),
        ("float8_e5m2", 0xFC, -np.inf),
    ],
)
def test_float8_examples(name: str, code: int, value: float) -> None:
    """The greatest, the smallest and the infinite values are those of the OCP specification."""
    assert values_of(bytes([code]), name, False).tolist() == [value]


def test_float8_not_numbers() -> None:
    """E4M3 has two codes for NaN and no infinity, E5M2 six."""
    every = bytes(range(256))
    assert np.flatnonzero(np.isnan(values_of(every, "float8_e4m3fn", False))).tolist() == [0x7F, 0xFF]
    assert np.isnan(values_of(every, "float8_e5m2", False)).sum() == 6
    assert not np.isinf(values_of(every, "float8_e4m3fn", False)).any()


@given(st.sampled_from(sorted(DTYPES)), st.binary(max_size=64))
def test_little_endian(name: str, raw: bytes) -> None:
    """Turning big-endian bytes round twice gives them back; little-endian ones and single bytes stay as they are."""
    raw = raw[: len(raw) // DTYPES[name][0] * DTYPES[name][0]]
    assert bytes(little_endian(raw, name, False)) == raw
    turned = bytes(little_endian(raw, name, True))
    assert bytes(little_endian(turned, name, True)) == raw
    assert sorted(turned) == sorted(raw)
    assert np.array_equal(values_of(raw, name, True).view("u1"), values_of(turned, name, False).view("u1"))


def test_unknown_dtype() -> None:
    """A dtype that cannot be read is refused by name."""
    with pytest.raises(UnsupportedError, match="string"):
        values_of(b"", "string", False)
