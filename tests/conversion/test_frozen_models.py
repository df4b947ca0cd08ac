"""Models in a model that may have been frozen, as Keras of many backends does not store whether they were."""

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from ckpttool.conversion import Conversion, convert
from ckpttool.formats import open_checkpoint
from ckpttool.model import architecture_of
from tests.alignment.test_alignment import FROZEN_BEHIND, frozen_within
from tests.conversion.test_anchors import Layer, legacy
from tests.conversion.test_first_steps import settings


def part(units: int) -> Layer:
    """A model of one layer that takes as many values as it gives."""
    config = {"name": "inside", "trainable": True, "units": units, "batch_input_shape": [None, units]}
    layer = {"class_name": "Dense", "config": config}
    return "Sequential", {"layers": [layer]}, {"inside/kernel": (units, units), "inside/bias": (units,)}


def widening(size: int, units: int) -> Layer:
    """A layer between models."""
    return "Dense", {"units": units, "trainable": True}, {"kernel": (size, units), "bias": (units,)}


def converted(folder: Path, layers: Sequence[Layer], state: Sequence[tuple[int, ...]], version: str) -> Conversion:
    """The conversion of a chain of layers with these arrays of the state of SGD, which also has an iteration."""
    shape = (None, next(iter(layers[0][2].values()))[0])
    attributes = {"training_config": settings("SGD", lr=0.01, momentum=0.9), "keras_version": version}
    source = legacy(folder / "old.h5", *layers, shape=shape, **attributes)
    if state:
        with h5py.File(source, "a") as file:
            group = file.create_group("optimizer_weights")
            names = ["SGD/iterations:0", *(f"training/SGD/Variable_{at}:0" for at in range(len(state)))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            group[names[0]] = np.int64(3)
            for name, dims in zip(names[1:], state, strict=True):
                group[name] = np.ones(dims, "float32")
    return convert(source, folder / "new.keras")


def is_guessed(result: Conversion) -> bool:
    """Whether it is said that models are held for trained."""
    return any("models in the model are trained" in guess.what for guess in result.guesses)


def frozen(path: Path) -> list[str]:
    """The layers with weights that are frozen in a converted model."""
    with open_checkpoint(path) as checkpoint:
        architecture = architecture_of(checkpoint)
        assert architecture is not None
        return [layer.path for layer in architecture.layers if not layer.trainable]


@pytest.mark.parametrize(
    ("version", "announced"),
    [("2.2.4", True), ("1.2.2", True), ("2.3.1", True), ("2.15.0", False)],
)
def test_models_that_may_have_been_frozen(version: str, announced: bool, tmp_path: Path) -> None:
    """Without a state the file of 2.2.4 does not tell, and Keras 3 trains them, as 2.2.4 does after loading."""
    result = converted(tmp_path, [part(2), widening(2, 1)], (), version)
    assert is_guessed(result) is announced
    assert frozen(tmp_path / "new.keras") == []


LAYERS = [part(3), widening(3, 2), part(2), widening(2, 4), part(4)]
BETWEEN = [(3, 2), (2,)], [(2, 4), (4,)]


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ([(3, 3), (3,), *BETWEEN[0], (2, 2), (2,), *BETWEEN[1], (4, 4), (4,)], []),
        ([*BETWEEN[0], (2, 2), (2,), *BETWEEN[1], (4, 4), (4,)], ["l0/inside"]),
        ([*BETWEEN[0], (2, 2), (2,), *BETWEEN[1]], ["l0/inside", "l4/inside"]),
        ([*BETWEEN[0], *BETWEEN[1]], ["l0/inside", "l2/inside", "l4/inside"]),
    ],
)
def test_models_without_a_state(state: list[tuple[int, ...]], names: list[str], tmp_path: Path) -> None:
    """Models are frozen for which the optimizer has no arrays, its state is kept, and nothing is guessed."""
    result = converted(tmp_path, LAYERS, state, "2.2.4")
    assert (result.losses, is_guessed(result)) == ((), False)
    assert frozen(tmp_path / "new.keras") == names
    assert [applied.edit.name for applied in result.edits].count("freeze-models") == bool(names)
    with open_checkpoint(tmp_path / "new.keras") as checkpoint:
        shapes = [weight.shape for weight in checkpoint.values() if "optimizer/vars" in weight.path and weight.shape]
    assert shapes == state


def test_several_choices_of_models_without_a_state(tmp_path: Path) -> None:
    """Nothing tells which of two models of one shape was frozen: the state is lost, and both are trained."""
    result = converted(tmp_path, [part(2), widening(2, 2), part(2)], [(2, 2), (2,)] * 2, "2.2.4")
    [loss] = result.losses
    assert loss.what == "its state: 5 arrays for 6 trained weights are not the state of SGD"
    assert is_guessed(result)
    assert frozen(tmp_path / "new.keras") == []


def test_a_state_of_tf_keras(tmp_path: Path) -> None:
    """tf.keras stores which layers are frozen, so that a state that does not fit says nothing of models."""
    result = converted(tmp_path, LAYERS, [*BETWEEN[0], *BETWEEN[1]], "2.2.4-tf")
    assert frozen(tmp_path / "new.keras") == []
    assert any("arrays for 10 trained weights" in loss.what for loss in result.losses)


IN_ORDER = ("dense_1", "dense_2", "dense_3")


@pytest.mark.parametrize(
    ("names", "expected"),
    [(FROZEN_BEHIND, ["middle/inner/dense_1", "middle/inner/dense_2"]), (IN_ORDER, [])],
)
def test_models_whose_weights_are_stored_behind_others(
    names: tuple[str, ...], expected: list[str], tmp_path: Path
) -> None:
    """Without a state, the order of the stored weights tells whether a model in a model in the model was frozen."""
    source = frozen_within(tmp_path / "old.h5", names)
    with h5py.File(source, "a") as file:
        file.attrs["training_config"] = settings("SGD", lr=0.01)
    result = convert(source, tmp_path / "new.keras")
    assert frozen(tmp_path / "new.keras") == expected
    assert [applied.edit.name for applied in result.edits].count("freeze-models") == bool(expected)
    [guess] = [guess.what for guess in result.guesses if "models in the model are trained" in guess.what]
    assert ("middle/inner" in guess) is not bool(expected)
