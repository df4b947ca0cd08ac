"""The lowest floor: checksums, the budget, superblocks, and files that end or change anywhere."""

import random

import numpy as np
import pytest

from ckpttool.errors import CheckpointError, CorruptFileError, UnsafeFileError, UnsupportedError
from ckpttool.formats.hdf5.headers import Hdf5Bytes, lookup3
from ckpttool.formats.hdf5.signature import find_signature
from ckpttool.formats.hdf5.tree import read_tree
from ckpttool.io.budget import LEAST_STEPS, Budget
from tests.formats.hdf5.small_files import (
    SMALL,
    Memory,
    like_keras,
    read_all,
    survives,
    that_ends,
    with_checksums,
    written,
)
from tests.speeds import examples
from tests.work import Calls


@pytest.mark.parametrize(
    ("data", "checksum"),
    [(b"", 0xDEADBEEF), (b"Four score and seven years ago", 0x17770551)],
)
def test_lookup3_vectors(data: bytes, checksum: int) -> None:
    """The checksum gives the values that its author published for `hashlittle`."""
    assert lookup3(data) == checksum


@pytest.mark.parametrize("size", [*range(1, 40), 1000, 4093])
def test_lookup3_length(size: int) -> None:
    """Every length is hashed on its own: one byte more, or one byte changed, gives another checksum."""
    data = bytes(range(256)) * (size // 256 + 1)
    sums = {lookup3(data[:size]), lookup3(data[:size] + b"\0"), lookup3(data[: size - 1] + b"\xff")}
    assert len(sums) == 3


def test_checksum_is_checked() -> None:
    """One flipped bit in a newer object header is told as a wrong checksum."""
    data = bytearray(written("latest", lambda file: file.create_group("a")))
    at = data.index(b"OHDR")
    data[at + 30] ^= 1
    with pytest.raises(CorruptFileError, match="checksum"):
        read_tree(Memory(bytes(data)))


def test_budget() -> None:
    """A budget gives what it has and no step more."""
    budget = Budget(0, least=10)
    budget.spend(10)
    with pytest.raises(UnsafeFileError, match="repeats itself"):
        budget.spend(1)


def test_budget_grows_with_the_file() -> None:
    """A small file may cost little; every read of it is paid for."""
    file = Hdf5Bytes(Memory(written("latest", like_keras)))
    before = file.budget.steps
    assert before < LEAST_STEPS + 10_000
    file.read(0, 640)
    assert file.budget.steps == before - 11


def test_reading_across_pages() -> None:
    """Bytes come as they are in the file, within a page, across pages, and up to the end but not behind it."""
    data = written("earliest", lambda file: file.create_dataset("x", data=np.arange(3000, dtype="<i4")))
    file = Hdf5Bytes(Memory(data))
    end = file.end
    for start, size in ((0, 8), (4090, 12), (4095, 1), (4096, 4096), (100, 9000), (end - 5, 5), (end - 5000, 5000)):
        assert file.read(start, size) == data[start : start + size]
    for start, size in ((end - 5, 6), (end, 1), (2**63, 8), (end - 5000, 5001)):
        with pytest.raises(CorruptFileError, match="beyond the end"):
            file.read(start, size)


@pytest.mark.parametrize("start", [0, 512, 1024, 8192])
def test_signature_places(start: int) -> None:
    """The signature is found at 0, 512 and its doubles, and nowhere else."""
    assert find_signature(Memory(bytes(start) + b"\x89HDF\r\n\x1a\n")) == start
    assert find_signature(Memory(bytes(start + 1) + b"\x89HDF\r\n\x1a\n")) == -1


@pytest.mark.parametrize(
    ("at", "byte", "kind", "match"),
    [
        (0, 0, CorruptFileError, "no HDF5 signature"),
        (8, 9, UnsupportedError, "superblock version 9"),
        (13, 4, UnsupportedError, "offsets of 4"),
        (42, 255, CorruptFileError, "truncated"),
        (48, 0, UnsupportedError, "several files"),
        (66, 255, CorruptFileError, "no root group"),
    ],
)
def test_superblock_of_old_files(at: int, byte: int, kind: type, match: str) -> None:
    """An error of a superblock is a sentence that names it."""
    data = bytearray(written("earliest", like_keras))
    data[at] = byte
    with pytest.raises(kind, match=match):
        read_tree(Memory(bytes(data)))


def test_open_for_writing() -> None:
    """A file that its writer left open says so."""
    data = bytearray(written("latest", like_keras))
    data[11] |= 1
    data[44:48] = lookup3(bytes(data[:44])).to_bytes(4, "little")
    with pytest.raises(CorruptFileError, match="open for writing"):
        read_tree(Memory(bytes(data)))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_truncation_everywhere(libver: str) -> None:
    """A file that is cut off at any byte is an error, whatever byte it is."""
    data = written(libver, lambda file: file.create_dataset("a/b", data=np.arange(3)))
    with that_ends():
        for size in range(len(data)):
            with pytest.raises(CheckpointError):
                read_tree(Memory(data[:size]))


@pytest.mark.parametrize("name", SMALL)
def test_mutations(name: str) -> None:
    """Again and again a few bytes are changed: the file is read or a `CheckpointError`, and both happens."""
    data, choose = written(*SMALL[name]), random.Random(name)
    interesting = (0, 1, 2, 4, 8, 16, 32, 64, 127, 128, 254, 255)
    read = set()
    for _ in range(examples(500)):
        mutant = bytearray(data)
        for _ in range(choose.choice((1, 1, 2, 5, 20))):
            at = choose.randrange(len(mutant))
            mutant[at] = choose.choice(interesting) if choose.random() < 0.7 else choose.randrange(256)
        read.add(survives(bytes(mutant)))
    assert read == {True, False}


@pytest.mark.parametrize("name", SMALL)
def test_mutated_addresses(name: str) -> None:
    """Addresses and sizes are bent to point elsewhere in the file, checksums made right again, and nothing escapes."""
    data, choose = written(*SMALL[name]), random.Random(name)
    ends = (0, 1, 48, 96, len(data) - 1, len(data), 2**31, 2**63, 2**64 - 1)
    read = set()
    for _ in range(examples(500)):
        mutant = bytearray(data)
        at = choose.randrange(8, len(mutant) - 8)
        value = choose.choice(ends) if choose.random() < 0.5 else choose.randrange(0, len(data), 8)
        mutant[at : at + 8] = value.to_bytes(8, "little")
        read.add(survives(with_checksums(mutant)))
    assert read == {True, False}


@pytest.mark.parametrize("name", SMALL)
def test_checksums_put_right(name: str) -> None:
    """A file whose checksums are computed again is the same file, so that mutants get past the checksums."""
    data = written(*SMALL[name])
    assert with_checksums(bytearray(data)) == data


@pytest.mark.parametrize("name", SMALL)
def test_cost_of_listing(name: str) -> None:
    """Reading an honest file spends a small part of its budget, and little work."""
    data = written(*SMALL[name])
    with Calls() as calls:
        tree = read_all(data)
    assert tree.file.budget.steps > 0.99 * LEAST_STEPS
    assert calls.count < 100_000
