"""Every format passes the contract of a reader."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool import UnsafeFileError
from ckpttool.inspection.info import describe
from tests.formats.contract import ReaderContract, datasets, listed_order
from tests.samples import FIXTURES, members, zipped

_MLP = {"model": 4, "optimizer": 10}


class _InArchive(ReaderContract):
    """A `.keras`, whose weights member h5py reads from memory."""

    kind = "keras-zip"

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The arrays of the weights member."""
        with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            return datasets(file)


class TestKerasZip(_InArchive):
    """`.keras` of Keras 3.15."""

    fixture = "keras3/nested.keras"
    counts: ClassVar = {"model": 14, "optimizer": 2}


class TestKerasZipOf3_0(_InArchive):
    """`.keras` of Keras 3.0, without stored names."""

    fixture = "keras3.0/mlp.keras"
    counts: ClassVar = _MLP


class TestKerasZipOf2_15(_InArchive):
    """`.keras` of Keras 2.15."""

    fixture = "keras2.15/nested.keras"
    counts: ClassVar = {"model": 14, "optimizer": 11, "metrics": 4}


class TestKerasZipOf2_12(_InArchive):
    """`.keras` of Keras 2.12, `_layer_checkpoint_dependencies` as container."""

    fixture = "keras2.12/wrappers.keras"
    counts: ClassVar = {"model": 25}


class TestWindowsPaths(_InArchive):
    """`.keras` with backslashes in the names of its HDF5 groups."""

    fixture = "keras2.12/windows_paths.keras"
    counts: ClassVar = {"model": 4, "optimizer": 9, "metrics": 4}

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """Natural order, group by group."""
        return sorted(reference, key=lambda key: super(TestWindowsPaths, self).order(path, reference).index(key))


class TestDeflatedZip(_InArchive):
    """A `.keras` whose members are deflated; what was inflated last is still held when it is closed."""

    may_read_after_close = True
    in_parts = False

    fixture = "keras3/deflated.keras"
    counts: ClassVar = _MLP


class TestOddShapes(_InArchive):
    """A scalar, an empty array, and dtypes that are no floats."""

    fixture = "keras3/odd.keras"
    counts: ClassVar = {"model": 10}


class TestKerasDir(ReaderContract):
    """A `.keras` as a directory."""

    kind = "keras-dir"
    fixture = "keras3/mlp_dir"
    counts: ClassVar = _MLP
    truncated = ("model.weights.h5",)

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The arrays of the weights file."""
        return super().reference(path / "model.weights.h5")


class _Weights(ReaderContract):
    """`.weights.h5`."""

    kind = "weights-h5"


class TestWeightsH5(_Weights):
    """Of Keras 3.15."""

    fixture = "keras3/wrappers.weights.h5"
    counts: ClassVar = {"model": 29}


class TestManyWeights(_Weights):
    """More than ten vars and layers, so that order as text is not natural order."""

    fixture = "keras3/many.weights.h5"
    counts: ClassVar = {"model": 26}


class TestSubclassed(_Weights):
    """Of a subclassed model: no container of layers."""

    fixture = "keras3/subclassed.weights.h5"
    counts: ClassVar = {"model": 23}


class TestWeightsH5Of2_15(_Weights):
    """Of Keras 2.15."""

    fixture = "keras2.15/mlp.weights.h5"
    counts: ClassVar = {"model": 4, "optimizer": 9, "metrics": 4}


class _Unpacked(_Weights):
    """`model.weights.h5` taken out of a `.keras`."""

    def build(self, folder: Path) -> Path:
        """The weights member as a file of its own."""
        path = folder / "unpacked.weights.h5"
        path.write_bytes(members(self.fixture)["model.weights.h5"])
        return path


class TestWeightsH5Of3_0(_Unpacked):
    """Of Keras 3.0."""

    fixture = "keras3.0/mlp.keras"
    counts: ClassVar = _MLP


class TestWeightsH5Of2_12(_Unpacked):
    """Of Keras 2.12."""

    fixture = "keras2.12/nested.keras"
    counts: ClassVar = {"model": 14, "optimizer": 11, "metrics": 4}


class TestChunked(_Weights):
    """Chunked and compressed, through h5py in a child process."""

    fixture = "keras3/chunked.weights.h5"
    counts: ClassVar = _MLP


class TestLatest(_Weights):
    """Written with `libver='latest'`: other headers, other group indexes."""

    fixture = "keras3/latest.weights.h5"
    counts: ClassVar = _MLP


class TestSharded(ReaderContract):
    """An index and its shards."""

    kind = "sharded"
    fixture = "keras3/sharded/sharded.weights.json"
    counts: ClassVar = {"model": 8}
    truncated = ("", "sharded_00000.weights.h5", "sharded_00001.weights.h5", "sharded_00002.weights.h5")

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The arrays of all shards."""
        arrays: dict[str, np.ndarray] = {}
        for shard in sorted(path.parent.glob("*.h5")):
            arrays |= super().reference(shard)
        return arrays


class _Legacy(ReaderContract):
    """Layers and weights as attributes list them."""

    base = ""

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """The order of `layer_names` and `weight_names`."""
        with h5py.File(path) as file:
            return listed_order(file, self.base)


class _LegacyModel(_Legacy):
    kind = "legacy-model"
    base = "model_weights"


class TestLegacyModel(_LegacyModel):
    """Of Keras 3.15."""

    fixture = "keras3/mlp.h5"
    counts: ClassVar = _MLP


class TestLegacyModelOf2_15(_LegacyModel):
    """Of Keras 2.15."""

    fixture = "keras2.15/nested.h5"
    counts: ClassVar = {"model": 14, "optimizer": 11}


class TestLegacyModelOf2_2(_LegacyModel):
    """Of Keras 2.2."""

    fixture = "keras2.2/recurrent.h5"
    counts: ClassVar = {"model": 17, "optimizer": 46}


class TestLegacyModelOf1_2(_LegacyModel):
    """Of Keras 1.2: optimizer weights without names, more than ten of them."""

    fixture = "keras1.2/bidirectional.h5"
    counts: ClassVar = {"model": 30, "optimizer": 30}


class _LegacyWeights(_Legacy):
    kind = "legacy-weights"


class TestLegacyWeightsOf2_15(_LegacyWeights):
    """Of Keras 2.15."""

    fixture = "keras2.15/wrappers_weights.h5"
    counts: ClassVar = {"model": 28}


class TestLegacyWeightsOf1_2(_LegacyWeights):
    """Of Keras 1.2."""

    fixture = "keras1.2/cnn_weights.h5"
    counts: ClassVar = {"model": 8}


class TestLongNames(_LegacyWeights):
    """`layer_names` cut into pieces."""

    fixture = "keras2.15/long_names_weights.h5"
    counts: ClassVar = {"model": 2}


class TestKeras0(ReaderContract):
    """Of Keras 0.3: `layer_<i>`, `param_<j>`, more than ten of them."""

    kind = "keras0-weights"
    fixture = "keras0.3/lstm_weights.hdf5"
    counts: ClassVar = {"model": 23}


class TestNpz(ReaderContract):
    """`model.weights.npz` of plain arrays inside a `.keras`."""

    kind = "keras-zip"
    counts: ClassVar = {"model": 5, "optimizer": 1}

    def build(self, folder: Path) -> Path:
        """A `.keras` with arrays of several dtypes and shapes, one of them big-endian, one empty."""
        arrays = {
            "layers/dense/vars/0": np.arange(12, dtype="<f4").reshape(3, 4),
            "layers/dense/vars/1": np.linspace(-1, 1, 4).astype(">f8"),
            "layers/odd/vars/0": np.array(7, "<i8"),
            "layers/odd/vars/1": np.empty((0, 3), "<f2"),
            "layers/odd/vars/2": np.array([True, False]),
            "optimizer/vars/0": np.array(3, "<i8"),
        }
        raw = io.BytesIO()
        np.savez(raw, **arrays)
        parts = {name: data for name, data in members("keras3.0/mlp.keras").items() if name.endswith(".json")}
        return zipped(folder / "plain.keras", {**parts, "model.weights.npz": raw.getvalue()})

    def reference(self, path: Path) -> Mapping[str, np.ndarray]:
        """The arrays as NumPy reads them."""
        with zipfile.ZipFile(path) as archive, np.load(io.BytesIO(archive.read("model.weights.npz"))) as arrays:
            return dict(arrays)

    def order(self, path: Path, reference: Mapping[str, np.ndarray]) -> list[str]:
        """The order of the members."""
        return list(reference)


def test_legacy_model_without_config(tmp_path: Path) -> None:
    """A whole model that lost its config is still known by its group of weights."""
    path = tmp_path / "m.h5"
    path.write_bytes((FIXTURES / "keras3/mlp.h5").read_bytes())
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"], file.attrs["training_config"]
    with ckpttool.open(path) as checkpoint:
        assert (checkpoint.kind, checkpoint.config, len(checkpoint)) == ("legacy-model", None, 14)
        assert checkpoint.refusals == ()


def test_opaque_bfloat16_reads_as_float32() -> None:
    """bfloat16, which h5py gives as opaque bytes, is widened to float32 and nothing is lost."""
    path = FIXTURES / "keras3/bfloat16.weights.h5"
    with ckpttool.open(path) as checkpoint, h5py.File(path) as file:
        narrow = [weight for weight in checkpoint.values() if weight.dtype == "bfloat16"]
        assert len(narrow) == 6
        for weight in narrow:
            stored = np.frombuffer(file[weight.path][()].tobytes(), "<u2")
            wide = weight.read()
            assert wide.dtype == np.float32
            assert np.array_equal(wide.ravel().view(np.uint32) >> 16, stored)


def test_pickled_npz_is_refused() -> None:
    """Keras's own `.npz` keeps pickles: it is refused as a whole, and the error says what to do."""
    with pytest.raises(UnsafeFileError, match="pickled objects") as caught:
        ckpttool.open(FIXTURES / "keras3/npz.keras")
    assert "save it again" in caught.value.hint


def test_mixed_npz_lists_plain_arrays(tmp_path: Path) -> None:
    """Plain arrays beside pickles are listed, and the pickles are refused by name."""
    raw = io.BytesIO()
    np.savez(raw, plain=np.arange(3), pickled=np.array({}, dtype=object))
    parts = {name: data for name, data in members("keras3.0/mlp.keras").items() if name.endswith(".json")}
    path = zipped(tmp_path / "mixed.keras", {**parts, "model.weights.npz": raw.getvalue()})
    with ckpttool.open(path) as checkpoint:
        assert list(checkpoint) == ["plain"]
        assert [(refusal.kind, refusal.place) for refusal in checkpoint.refusals] == [("pickle", "pickled")]


def test_names_from_the_root_of_the_file() -> None:
    """A name that begins with a slash is at the root of an HDF5 file; so Keras 2.0.5 on Theano kept its iteration."""
    path = FIXTURES / "resume" / "keras2.0" / "adam.h5"
    with ckpttool.open(path) as checkpoint:
        assert [refusal.kind for refusal in checkpoint.refusals] == []
        assert checkpoint["iterations"].name == "/iterations"
        assert checkpoint["iterations"].section.value == "optimizer"
        optimizer = describe(checkpoint).optimizer
    assert optimizer is not None
    assert optimizer.iteration == 3


@pytest.mark.parametrize("base", ["", "model_weights"])
def test_absolute_names_of_layers_and_weights(base: str, tmp_path: Path) -> None:
    """Groups and weights are where h5py put them: from the root, and behind doubled slashes and dots, too."""
    names = ["/elsewhere/kernel:0", "inner//bias:0", "./gamma:0"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        top = file.require_group(base) if base else file
        if base:
            file.attrs["model_config"] = b'{"class_name": "Sequential", "config": []}'
        top.attrs["layer_names"] = [b"dense", b"/apart"]
        for layer in ("dense", "/apart"):
            group = top.create_group(layer)
            own = names if layer == "dense" else ["beta:0"]
            group.attrs["weight_names"] = [name.encode() for name in own]
            for name in own:
                group.create_dataset(name, data=np.zeros(2, "float32"))
    dense = f"{base}/dense" if base else "dense"
    with ckpttool.open(tmp_path / "a.h5") as checkpoint:
        assert list(checkpoint) == ["elsewhere/kernel:0", f"{dense}/inner/bias:0", f"{dense}/gamma:0", "apart/beta:0"]
        assert [weight.layer for weight in checkpoint.values()] == ["dense"] * 3 + ["/apart"]
        assert not checkpoint.refusals
