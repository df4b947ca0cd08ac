"""The checksum is that of RFC 3720, whatever way it is computed, and masked as TensorFlow masks it."""

import random

import numpy  # noqa: F401  (from some size on it computes the checksum where it is there)
import pytest

from ckpttool.formats.tensorflow import crc32c as module
from ckpttool.formats.tensorflow.crc32c import crc32c, masked, unmasked
from tests.formats.tensorflow import writer

_SIZES = (0, 1, 3, 4, 5, 437, 511, 512, 513, 1000, 4096, 27_968, 32_768, 32_769, 65_536, 65_541, 200_003)


def test_known_values() -> None:
    """The values of RFC 3720, appendix B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("by_numpy", [False, True])
def test_sizes(size: int, by_numpy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data of every size has the checksum that goes through it bit by bit, in one run or in two."""
    monkeypatch.setattr(module, "_BY_NUMPY", 4 if by_numpy else 1 << 40)
    data = random.Random(size).randbytes(size)
    expected = writer.crc32c(data)
    assert crc32c(data) == crc32c(bytearray(data)) == crc32c(memoryview(data)) == expected
    cut = size // 3
    assert crc32c(data[cut:], crc32c(data[:cut])) == expected


def test_masks() -> None:
    """Masking is what the writer does, and is undone."""
    assert masked(crc32c(b"123456789")).to_bytes(4, "little") == writer.masked(b"123456789")
    for crc in (0, 1, 0x5D7D1528, 0xFFFFFFFF, 0xE3069283):
        assert unmasked(masked(crc)) == crc
