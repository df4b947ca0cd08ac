"""Weights of Keras 0, 1 and 2 into architectures that only those build: what genuine Keras 1.2.2 and 2.2.4 load."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool.verification import verify
from tests.conftest import Outcome
from tests.samples import FIXTURES
from tests.speeds import is_full, one_of_each

Run = Callable[..., Outcome]

LAYERS = FIXTURES / "old_layers"
WITHOUT_WEIGHTS = "keras2.2-tensorflow-refused.h5.gz"  # of such, nothing can be said
EVERY_LAYER = sorted(path for path in (FIXTURES / "every_layer").glob("*.h5.gz") if path.name != WITHOUT_WEIGHTS)


def parts(path: Path) -> list[str]:
    """The version, backend and kind of layers that the name of a file says."""
    return path.name.partition(".h5")[0].split("-")


# Of these files of 1.2.2, those that genuine Keras 1.2.2 loads into the architecture of each, beside its own.
IN_1 = {
    "bidirectional": (),
    "conv1d": (),
    "conv2d_tf": (),
    "conv2d_th": (),
    "gru": ("gru_hard",),
    "highway": (),
    "lstm": ("lstm_sequences", "lstm_sigmoid"),
    "maxout": (),
    "prelu": (),
    "time_distributed": ("time_distributed_dense",),
}
# Of the same, those that genuine Keras 2.2.4 loads into architectures of its own.
IN_2 = {
    "bidirectional": ("bidirectional",),
    "conv1d": ("conv1d",),
    "conv2d": ("conv2d_tf",),
    "conv_lstm": (),
    "gru": ("gru", "gru_hard"),
    "gru_reset_after": (),
    "lstm": ("lstm", "lstm_sequences", "lstm_sigmoid"),
    "prelu": ("prelu",),
    "time_distributed": ("time_distributed", "time_distributed_dense"),
}
FILES_1 = sorted({*IN_1, *(name for names in IN_1.values() for name in names)})


def architecture(source: Path, folder: Path, version: str) -> Path:
    """The architecture of a whole model in a file of its own, as `to_json` writes it."""
    with ckpttool.open(source) as checkpoint:
        config: Any = checkpoint.config
    target = folder / "arch.json"
    target.write_text(json.dumps({**config, "keras_version": version}))
    return target


def loaded(target: Path) -> list[str]:
    """The files of 1.2.2 of which verify says that they load into an architecture."""
    return [name for name in FILES_1 if verify(LAYERS / "keras1.2" / f"{name}.h5", target).verdict == "loads"]


@pytest.mark.parametrize("name", IN_1)
def test_what_keras_1_loads(name: str, tmp_path: Path) -> None:
    """Gates in arrays of their own, kernels in the order of axes of the config, both forms of Conv1D."""
    target = architecture(LAYERS / "keras1.2" / f"{name}.h5", tmp_path, "1.2.2")
    assert loaded(target) == sorted([name, *IN_1[name]])


@pytest.mark.parametrize("name", IN_2)
def test_what_keras_2_loads_of_keras_1(name: str, tmp_path: Path) -> None:
    """It turns weights of Keras 1 into its own as it loads them."""
    target = architecture(LAYERS / "keras2.2" / f"{name}.h5", tmp_path, "2.2.4")
    assert loaded(target) == sorted(IN_2[name])


@pytest.mark.parametrize(
    "path",
    EVERY_LAYER if is_full() else one_of_each(EVERY_LAYER, parts),
    ids=lambda path: path.name.partition(".h5")[0],
)
def test_every_layer(path: Path, tmp_path: Path, run: Run) -> None:
    """Of Keras 1.2.2 and 2.2.4, by both backends: the weights fit, also where Keras 3 builds none of it."""
    model = tmp_path / "model.h5"
    model.write_bytes(gzip.decompress(path.read_bytes()))
    outcome = run("verify", model, model)
    assert outcome.code == 0, outcome.out
    writer = "Keras 1" if path.name.startswith("keras1") else "Keras 2"
    assert f"{writer} builds this architecture, Keras 3 cannot" in outcome.out
    assert "convert it first" in outcome.out
    assert run("verify", model, model, "--for", "keras3").code == 1


@pytest.mark.parametrize("name", ["cnn", "lstm", "mlp"])
def test_keras_0(name: str, run: Run) -> None:
    """Layers by number, a param_0 each: they fit into an architecture of Keras 0."""
    weights, target = (FIXTURES / "keras0.3" / f"{name}{end}" for end in ("_weights.hdf5", ".json"))
    outcome = run("verify", weights, target)
    assert (outcome.code, "fits into" in outcome.out) == (0, True), outcome.out
    assert run("verify", weights, target, "--for", "keras3").code == 1


def for_cudnn(entry: dict[str, Any], of_cudnn: bool) -> None:
    """Makes a layer one for cuDNN, or the plain one that computes the same."""
    plain = entry["class_name"].removeprefix("CuDNN")
    entry["class_name"] = f"CuDNN{plain}" if of_cudnn else plain
    if not of_cudnn:
        entry["config"] |= {"recurrent_activation": "sigmoid", **({"reset_after": True} if plain == "GRU" else {})}


@pytest.mark.parametrize("name", ["cudnn_lstm", "cudnn_gru", "gru_reset_after", "lstm_sigmoid"])
def test_weights_for_cudnn(name: str, tmp_path: Path, run: Run) -> None:
    """Keras 2 lays them out for plain layers and back; Keras 3 does not."""
    source = LAYERS / "keras2.2" / f"{name}.h5"
    target = architecture(source, tmp_path, "2.2.4")
    config = json.loads(target.read_text())
    for_cudnn(config["config"]["layers"][0], not name.startswith("cudnn"))
    target.write_text(json.dumps(config))
    outcome = run("verify", source, target)
    assert outcome.code == 0, outcome.out
    assert run("verify", source, target, "--for", "keras3").code == 1


def test_a_layout_that_keras_1_does_not_read(run: Run) -> None:
    """Weights by path are judged as Keras 3 loads them into what the architecture becomes, which is said."""
    outcome = run("verify", FIXTURES / "keras3/mlp.weights.h5", FIXTURES / "keras1.2/mlp.h5")
    assert outcome.code == 0
    assert "judged is how Keras 3 loads the weights then, since Keras 1 reads no file of this layout." in outcome.out
    outcome = run("verify", FIXTURES / "keras2.15/mlp.weights.h5", FIXTURES / "keras2.15/mlp.json")
    assert "judged is how Keras 3 loads the weights then." in outcome.out
    assert "judged" not in run("verify", FIXTURES / "keras1.2/mlp.h5", FIXTURES / "keras1.2/mlp.h5").out


def test_names_that_keras_3_does_not_load(tmp_path: Path, run: Run) -> None:
    """Keras 1 opens a file of any name."""
    model = tmp_path / "model.hd5"
    model.write_bytes((LAYERS / "keras1.2" / "lstm.h5").read_bytes())
    assert run("verify", model, model).code == 0
