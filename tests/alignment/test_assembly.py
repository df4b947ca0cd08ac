"""Weights put together from what old Keras stored of them, against plain NumPy and against what old Keras predicted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.alignment.alignment import Alignment, align
from ckpttool.alignment.architectures import load_architecture
from ckpttool.alignment.assembly import is_reversed, weight_of
from ckpttool.checkpoint import Producer
from ckpttool.model import read_architecture
from ckpttool.model.generations.generation import Generation, generation_of
from ckpttool.model.generations.normalization import normalized
from tests.corpus import CORPUS, needs_corpus
from tests.predictions import check_predictions
from tests.samples import FIXTURES

Array = np.ndarray[Any, Any]


def slots(name: str, architecture: str | None = None, reversed_kernels: bool | None = None) -> dict[str, Array]:
    """The weights of a fixture's slots, by layer and name."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        alignment = align(checkpoint, load_architecture(FIXTURES / (architecture or name)))
        turned = is_reversed(checkpoint, alignment.generation) if reversed_kernels is None else reversed_kernels
        return {
            f"{aligned.place.layer}/{aligned.place.name}": weight_of(aligned, turned).read()
            for aligned in alignment.aligned
        }


def stored(name: str) -> dict[str, Array]:
    """The arrays of a fixture by stored path."""
    with ckpttool.open(FIXTURES / name) as checkpoint:
        return {path: weight.read() for path, weight in checkpoint.items()}


def test_gates_of_an_lstm() -> None:
    """Twelve arrays in the order i, c, f, o are three weights in the order i, f, c, o."""
    values, raw = slots("keras1.2/lstm.h5"), stored("keras1.2/lstm.h5")
    for slot, letter in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
        gates = [raw[f"model_weights/memory/memory_{letter}_{gate}"] for gate in "ifco"]
        np.testing.assert_array_equal(values[f"memory/lstm_cell/{slot}"], np.concatenate(gates, axis=-1))


def test_gates_of_a_gru() -> None:
    """Nine arrays in the order z, r, h are three weights in the same order."""
    values, raw = slots("keras1.2/lstm.h5"), stored("keras1.2/lstm.h5")
    for slot, letter in (("kernel", "W"), ("recurrent_kernel", "U"), ("bias", "b")):
        gates = [raw[f"model_weights/gru_1/gru_1_{letter}_{gate}"] for gate in "zrh"]
        np.testing.assert_array_equal(values[f"gru_1/gru_cell/{slot}"], np.concatenate(gates, axis=-1))


def test_kernels_of_theano_are_reversed() -> None:
    """A kernel of (filters, channels, rows, columns) is turned, and run backwards along rows and columns only where
    Theano made it."""
    raw = stored("keras1.2/cnn_weights.h5")["convolution2d_1/convolution2d_1_W"]
    turned = np.transpose(raw, (2, 3, 1, 0))
    key, files = "convolution2d_1/kernel", ("keras1.2/cnn_weights.h5", "keras1.2/cnn.json")
    np.testing.assert_array_equal(slots(*files)[key], turned[::-1, ::-1])
    np.testing.assert_array_equal(slots(*files, reversed_kernels=False)[key], turned)


def test_kernels_of_one_dimension() -> None:
    """A Convolution1D kernel has one axis more than today; Theano's runs backwards along its length."""
    raw = stored("keras1.2/bidirectional.h5")["model_weights/conv/conv_W"]
    assert raw.shape == (3, 1, 3, 4)
    np.testing.assert_array_equal(slots("keras1.2/bidirectional.h5")["conv/kernel"], raw[::-1, 0])
    unturned = slots("keras1.2/bidirectional.h5", reversed_kernels=False)
    np.testing.assert_array_equal(unturned["conv/kernel"], raw[:, 0])


def test_what_is_as_today_is_the_stored_weight() -> None:
    """A weight that is neither turned nor joined is the stored one itself, read in place."""
    for name in ("keras3/cnn.keras", "keras2.15/wrappers.h5", "keras1.2/mlp.h5"):
        with ckpttool.open(FIXTURES / name) as checkpoint:
            for aligned in align(checkpoint, load_architecture(FIXTURES / name)).aligned:
                assert weight_of(aligned, False) is checkpoint[aligned.stored[0].weight.path]


@pytest.mark.parametrize("limit", [4, 12, 64, 1 << 20])
def test_pieces(limit: int) -> None:
    """The bytes come in pieces of the size that is asked for, and are the same whatever that is."""
    with ckpttool.open(FIXTURES / "keras1.2/lstm.h5") as checkpoint:
        alignment = align(checkpoint, load_architecture(FIXTURES / "keras1.2/lstm.h5"))
        weight = weight_of(next(aligned for aligned in alignment.aligned if len(aligned.stored) == 4), False)
        pieces = [bytes(piece) for piece in weight.values.pieces(limit)]
        assert all(len(piece) == limit for piece in pieces[:-1])
        assert b"".join(pieces) == weight.read().tobytes()
        assert sum(map(len, pieces)) == weight.nbytes


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_dtypes(dtype: str, tmp_path: Path) -> None:
    """Values keep their dtype, in whatever byte order they are stored."""
    path = tmp_path / "lstm.h5"
    path.write_bytes((FIXTURES / "keras1.2/lstm.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["model_weights/memory"]
        for name in list(group):
            values = group[name][()]
            del group[name]
            group.create_dataset(name, data=values.astype(dtype))
    expected = slots("keras1.2/lstm.h5")["memory/lstm_cell/kernel"].astype(np.dtype(dtype).newbyteorder("="))
    with ckpttool.open(path) as checkpoint:
        alignment = align(checkpoint, load_architecture(path))
        aligned = next(
            aligned
            for aligned in alignment.aligned
            if aligned.place.layer == "memory" and aligned.place.slot.name == "kernel"
        )
        weight = weight_of(aligned, False)
        np.testing.assert_array_equal(weight.read(), expected)
        assert weight.read().dtype == expected.dtype


@pytest.mark.parametrize(
    ("producer", "generation", "expected"),
    [
        (Producer(backend="theano"), Generation.KERAS_2, True),
        (Producer(inferred_backend="theano"), Generation.KERAS_1, True),
        (Producer(backend="tensorflow", inferred_backend="theano"), Generation.KERAS_2, False),
        (Producer(inferred_backend="tensorflow"), Generation.KERAS_1, False),
        (Producer(), Generation.KERAS_0, True),
        (Producer(), Generation.KERAS_1, False),
        (Producer(), None, False),
    ],
)
def test_whose_kernels_are_reversed(producer: Producer, generation: Generation | None, expected: bool) -> None:
    """The backend tells, else the names of weights, else that it is of Keras 0."""
    with ckpttool.open(FIXTURES / "keras3/mlp.keras") as checkpoint:
        assert is_reversed(replace(checkpoint, producer=producer), generation) is expected


# Files of the corpus that Keras 3 takes with the entries of today. Gated layers of Keras 1 are not among them: their
# hard_sigmoid was another function.
PROVED = (
    "betago__100_epochs_cnn_weights.hd5",
    "deeplift__imkModel_keras0.hdf5",
    "deeplift__talgata_keras1.h5",
    "dl4j__batch_to_conv2d_theano_2.h5",
    "dl4j__cnn_tf_weights.h5",
    "dl4j__conv2d_reshape_theano_1.h5",
    "dl4j__conv2d_tensorflow_2.h5",
    "dl4j__conv2d_theano_1.h5",
    "dl4j__conv2d_theano_2.h5",
    "dl4j__sepconv2d_tensorflow_2.h5",
    "dl4j__simple_rnn_theano_1.h5",
    "rocalphago__random_minimodel_value_weights.hdf5",
)


@needs_corpus
@pytest.mark.parametrize("name", PROVED)
def test_predictions(name: str, tmp_path: Path) -> None:
    """A model of Keras 3 with the weights put together predicts what the old Keras did."""
    keras = pytest.importorskip("keras", minversion="3.15")

    manifest = {entry["name"]: entry for entry in json.loads((CORPUS / "manifest.json").read_text())}
    reference = manifest[name]["reference"]
    companion = CORPUS / "files" / str(reference.get("architecture"))
    with ckpttool.open(CORPUS / "files" / name) as checkpoint:
        own = read_architecture(checkpoint.config)
        architecture = load_architecture(companion) if companion.is_file() else own
        assert architecture is not None
        alignment = align(checkpoint, architecture)
        write(tmp_path / "m.weights.h5", alignment, is_reversed(checkpoint, alignment.generation))
    model = keras.saving.deserialize_keras_object(
        dict(normalized(architecture.config, generation_of(architecture.config)))
    )
    model.load_weights(tmp_path / "m.weights.h5")
    check_predictions(model, CORPUS / "reference" / f"{name}.npz", reference["agreement"]["rtol"])


def write(path: Path, alignment: Alignment, reversed_kernels: bool) -> None:
    """The aligned weights at their places in the path layout."""
    with h5py.File(path, "w") as file:
        for aligned in alignment.aligned:
            file[aligned.place.path] = weight_of(aligned, reversed_kernels).read()
