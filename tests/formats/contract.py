"""The contract of a reader: what holds for a checkpoint of any format."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool import CheckpointError, Refusal, Section, WeightNotFoundError
from ckpttool.formats import npz
from ckpttool.formats.hdf5 import values
from ckpttool.formats.tensorflow import values as tensors
from ckpttool.io.dtypes import itemsize
from tests.samples import FIXTURES

_LIMITS = (1, 7, 16, 1000, 1 << 20)
_VALUES = (values.Contiguous, values.InMemory, values.Repeated, values.UnreadableValues, values.Chunked, npz._Array)
_VALUES += (tensors.InShard, tensors.Gathered, tensors.Texts)
_OF_SEVERAL_FILES = {"sharded", "tensorflow-checkpoint", "saved-model"}


def datasets(file: h5py.File) -> dict[str, np.ndarray]:
    """Every dataset of an HDF5 file by its path, as h5py reads it."""
    arrays: dict[str, np.ndarray] = {}
    file.visititems(lambda path, item: arrays.update({path: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {path: np.asarray(value) for path, value in arrays.items()}


def naturally(path: str) -> list[list[tuple[bool, int, str]]]:
    """A sort key of paths: names part by part, runs of digits by value and before letters."""
    tokens = (re.findall(r"[0-9]+|[^0-9]+", part) for part in path.split("/"))
    return [[(not t.isdigit(), int(t) if t.isdigit() else 0, t) for t in part] for part in tokens]


def listed_order(file: h5py.File, base: str = "") -> list[str]:
    """The weights of a legacy file in the order in which its attributes list them."""
    root = file[base] if base else file
    problems = []
    for layer in _texts(root, "layer_names"):
        problems += [f"{base}/{layer}/{name}".lstrip("/") for name in _texts(root[layer], "weight_names")]
    if base and "optimizer_weights" in file:
        problems += [f"optimizer_weights/{name}" for name in _texts(file["optimizer_weights"], "weight_names")]
    return problems


def _texts(group: h5py.Group, attribute: str) -> list[str]:
    whole = group.attrs.get(attribute)
    if whole is None:
        whole = [name for n in range(9) for name in group.attrs.get(f"{attribute}{n}", ())]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in whole]


class ReaderContract:
    """Subclass it with a fixture and what is in it."""

    kind: ClassVar[str]
    fixture: ClassVar[str]
    counts: ClassVar[dict[str, int]]
    refusals: ClassVar[set[str]] = set()
    truncated: ClassVar[tuple[str, ...]] = ("",)
    may_read_after_close: ClassVar[bool] = False
    in_parts: ClassVar[bool] = True

    def build(self, folder: Path) -> Path:
        """The checkpoint to read; the fixture itself unless overridden."""
        return FIXTURES / self.fixture

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The arrays by stored path, read by other means than ckpttool."""
        with h5py.File(path) as file:
            return datasets(file)

    def is_of(self, section: Section, path: str) -> bool:
        """Whether a stored path shows that a weight is state of this section."""
        return path.startswith(section.value)

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """The stored paths in the order in which they are to be listed: natural order of paths."""
        return sorted(reference, key=naturally)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """The checkpoint to read."""
        return self.build(tmp_path)

    @pytest.fixture
    def checkpoint(self, path: Path) -> Iterator[ckpttool.Checkpoint]:
        """The open checkpoint."""
        with ckpttool.open(path) as opened:
            yield opened

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The kinds of values whose bytes were asked for, as they are asked for."""
        seen: list[str] = []
        for kind in _VALUES:
            monkeypatch.setattr(kind, "pieces", _spied(kind.pieces, kind.__name__, seen))
        return seen

    def test_kind(self, checkpoint: ckpttool.Checkpoint, path: Path) -> None:
        """The format is recognised, and the checkpoint says where it is and what it weighs."""
        whole = sum(file.stat().st_size for file in path.iterdir() if file.is_file()) if path.is_dir() else 0
        assert checkpoint.kind == self.kind
        assert checkpoint.path == path
        if self.kind not in _OF_SEVERAL_FILES:
            assert checkpoint.size == (whole or path.stat().st_size)

    def test_opening_reads_no_array(self, asked: list[str], path: Path) -> None:
        """Opening and asking for every name, shape and dtype reads the values of no weight; reading one does."""
        with ckpttool.open(path) as checkpoint:
            manifest = [(w.path, w.layer, w.name, w.shape, w.dtype, w.size, w.section) for w in checkpoint.values()]
            assert manifest
            assert asked == []
            next(iter(checkpoint.values())).read()
            assert len(asked) == 1

    def test_mapping(self, checkpoint: ckpttool.Checkpoint) -> None:
        """A checkpoint is a read-only mapping from stored path to weight."""
        assert isinstance(checkpoint, Mapping)
        assert len(checkpoint) == len(list(checkpoint)) == sum(self.counts.values())
        assert list(checkpoint.keys()) == [weight.path for weight in checkpoint.values()]
        assert all(path in checkpoint and checkpoint[path] is weight for path, weight in checkpoint.items())
        assert checkpoint.get("no/such/weight") is None
        assert "no/such/weight" not in checkpoint
        assert not hasattr(checkpoint, "__setitem__")

    def test_order(self, checkpoint: ckpttool.Checkpoint, path: Path) -> None:
        """Weights come in the order of the file's own lists, or in natural order where it has none."""
        assert list(checkpoint) == self.order(path, self.reference(path))

    def test_values(self, checkpoint: ckpttool.Checkpoint, path: Path) -> None:
        """Each weight reads as another reader gives it: same dtype, same shape, same values; and again the same."""
        reference = self.reference(path)
        assert set(checkpoint) == set(reference)
        for key, expected in reference.items():
            for _ in range(2):
                values = checkpoint[key].read()
                assert values.dtype == expected.dtype.newbyteorder("=")
                assert values.shape == checkpoint[key].shape == expected.shape
                assert values.tobytes() == expected.astype(values.dtype).tobytes()

    def test_sizes(self, checkpoint: ckpttool.Checkpoint, path: Path) -> None:
        """Shape, dtype and bytes agree with the arrays, before any is read."""
        for key, expected in self.reference(path).items():
            weight = checkpoint[key]
            assert (weight.shape, weight.size, weight.nbytes) == (expected.shape, expected.size, expected.nbytes)

    def test_blocks(self, checkpoint: ckpttool.Checkpoint) -> None:
        """Blocks of any limit join to the whole; none is larger than the limit, and all but the last are full."""
        for weight, limit in itertools.product(checkpoint.values(), _LIMITS):
            width = itemsize(weight.dtype) or 1
            full = max(width, limit // width * width)
            stored = [bytes(block) for block in weight.stored_blocks(limit)]
            assert all(len(block) == full for block in stored[:-1])
            assert all(0 < len(block) <= full for block in stored)
            assert sum(map(len, stored)) == weight.nbytes
            parts = [np.array(block) for block in weight.blocks(limit)]
            joined = np.concatenate(parts) if parts else np.empty(0)
            assert joined.tobytes() == weight.read().tobytes()

    def test_parts(self, checkpoint: ckpttool.Checkpoint) -> None:
        """A part anywhere is that part of the whole, wherever parts can be read alone."""
        for weight in checkpoint.values():
            whole = weight.read().reshape(-1)
            for start, stop in ((0, weight.size), (0, 0), (weight.size // 3, weight.size)):
                part = weight.between(start, stop)
                if part is None:
                    assert isinstance(weight.values, values.Chunked) or not self.in_parts
                else:
                    assert part.shape == (stop - start,)
                    assert part.read().tobytes() == whole[start:stop].tobytes()

    def test_sections(self, checkpoint: ckpttool.Checkpoint) -> None:
        """The state of optimizer and metrics is kept apart from the weights of the model."""
        counts = {section.value: len(checkpoint.section(section)) for section in Section}
        assert {name: count for name, count in counts.items() if count} == self.counts
        for section in (Section.OPTIMIZER, Section.METRICS):
            assert all(self.is_of(section, weight.path.replace("\\", "/")) for weight in checkpoint.section(section))

    def test_clean(self, checkpoint: ckpttool.Checkpoint) -> None:
        """A file that Keras wrote gives no false alarm."""
        assert {refusal.kind for refusal in checkpoint.refusals} == self.refusals
        assert all(isinstance(refusal, Refusal) for refusal in checkpoint.refusals)

    def test_closed(self, path: Path) -> None:
        """After `close` the listing stays and reading is a `CheckpointError`; closing twice is harmless."""
        checkpoint = ckpttool.open(path)
        checkpoint.close()
        checkpoint.close()
        assert len(checkpoint) == sum(self.counts.values())
        for weight in checkpoint.values():
            if weight.nbytes and not self.may_read_after_close:
                with pytest.raises(CheckpointError, match="closed"):
                    weight.read()

    @pytest.mark.parametrize("tenth", range(10))
    def test_truncated(self, path: Path, tmp_path: Path, tenth: int) -> None:
        """A file cut off anywhere fails with a `CheckpointError`, and with nothing else."""
        beside = self.kind in ("sharded", "tensorflow-checkpoint")
        home = path.parent if beside else path
        for name in self.truncated:
            copy = tmp_path / f"cut{tenth}" / home.name
            (shutil.copytree if home.is_dir() else _copied)(home, copy)
            opened = copy / path.name if beside else copy
            victim = copy / name if name else opened
            data = victim.read_bytes()
            victim.write_bytes(data[: len(data) * tenth // 10] if tenth < 9 else data[:-1])
            with pytest.raises(CheckpointError):
                _read_all(opened)
            shutil.rmtree(copy.parent)

    def test_missing_weight(self, checkpoint: ckpttool.Checkpoint, path: Path) -> None:
        """A path that is nearly right gets a suggestion; one that is not gets none; both are `KeyError` too."""
        near = next(reversed(list(checkpoint)))
        with pytest.raises(WeightNotFoundError) as caught:
            checkpoint[near + "x"]
        assert isinstance(caught.value, KeyError)
        assert repr(near) in str(caught.value)
        assert str(path) in str(caught.value)
        with pytest.raises(WeightNotFoundError) as caught:
            checkpoint["?"]
        assert "did you mean" not in str(caught.value)

    def test_opens_no_pickle(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        """Nothing is unpickled while a checkpoint is opened and read."""
        import marshal
        import pickle

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("unpickled")

        for module in (pickle, marshal):
            for name in ("load", "loads"):
                monkeypatch.setattr(module, name, refuse)
        monkeypatch.setattr(pickle, "Unpickler", refuse)
        with ckpttool.open(path) as checkpoint:
            assert [weight.read() for weight in checkpoint.values()]


def _spied(pieces: Callable[..., Any], name: str, seen: list[str]) -> Callable[..., Any]:
    def spy(self: Any, limit: int) -> Any:
        seen.append(name)
        return pieces(self, limit)

    return spy


def _copied(file: Path, copy: Path) -> None:
    copy.parent.mkdir()
    shutil.copy(file, copy)


def _read_all(path: Path) -> None:
    with ckpttool.open(path) as checkpoint:
        for weight in checkpoint.values():
            weight.read()
