"""The answers of `verify --optimizer` on the state of an optimizer in files of TensorFlow. The names that variables
have themselves, which pairing does not ask, say whether it came to the right ones."""

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import Checkpoint, UnsupportedError
from ckpttool.model import Architecture, read_architecture
from ckpttool.verification.result import Status, VerifyResult
from ckpttool.verification.verdicts import Allowed
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.test_checkpoint import TENSORFLOW

_KINDS = {"momentum": "m", "velocity": "v"}


def verified(path: Path | Checkpoint, architecture: Architecture | Path | Checkpoint | None = None) -> VerifyResult:
    """The result, the state of the optimizer counted; that of a whole model into itself where no other is named."""
    return ckpttool.verify(path, path if architecture is None else architecture, allowed=Allowed(optimizer=True))


def compiled(path: Path, optimizer: Any) -> Architecture:
    """The architecture in a JSON file, compiled with an optimizer."""
    architecture = read_architecture({**json.loads(path.read_text()), "compile_config": {"optimizer": optimizer}})
    assert architecture is not None
    return architecture


def state_names(result: VerifyResult) -> dict[str, str]:
    """The own names of the variables of the optimizer by the names of their slots."""
    return {slot.name: weight.name or "" for slot, weight in result.matched if slot.path.startswith("optimizer/")}


ADAM = {"class_name": "Adam", "config": {}}


def test_a_list_of_variables_is_paired_by_number() -> None:
    """Each variable of Adam since 2.11 comes to the weight in its own name."""
    result = verified(TENSORFLOW / "2.15/sequential", TENSORFLOW / "2.15/sequential")
    names = state_names(result)
    assert result.ok
    assert len(names) == 14
    assert (names.pop("iteration"), names.pop("learning_rate")) == ("iteration", "learning_rate")
    for slot, own in names.items():
        weight, _, kind = slot.rpartition("/")
        assert own == f"Adam/{_KINDS[kind]}/{weight}"


def test_slot_variables_are_paired_by_their_variables() -> None:
    """Each slot variable of an older Adam comes to the weight in its own name, of nested layers, too."""
    result = verified(TENSORFLOW / "2.15/slots", compiled(TENSORFLOW / "2.15/slots.json", ADAM))
    names = state_names(result)
    assert result.ok
    assert len(names) == 38
    assert (names.pop("iteration"), names.pop("learning_rate")) == ("Adam/iter", "Adam/learning_rate")
    for slot, own in names.items():
        weight, _, kind = slot.removeprefix("inner/").rpartition("/")
        assert own == f"Adam/{weight}/{_KINDS[kind]}"


def test_state_of_keras_3() -> None:
    """Each variable of an optimizer of Keras 3 that tf.train.Checkpoint saved comes to the weight in its own name."""
    names = state_names(
        verified(TENSORFLOW / "2.21/keras3", compiled(TENSORFLOW / "2.21/keras3.json", {"class_name": "Adam"}))
    )
    assert len(names) == 14
    assert all(
        own == f"adam/{slot if '/' not in slot else 'mlp_' + slot.replace('/', '_')}" for slot, own in names.items()
    )


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_a_trained_model_fits_itself(name: str) -> None:
    """The compile settings of a SavedModel name the optimizer."""
    path = TENSORFLOW / "2.15_trained" / name
    result = verified(path, path)
    assert result.ok
    assert len(state_names(result)) == {"adam": 6, "sgd": 4, "rmsprop": 4}[name]


_OBJECT = {"class_name": "FixedLossScale", "config": {"loss_scale_value": 8.0}}
_FIXED: dict[str, Any] = {
    "LossScaleOptimizerV3": {"dynamic": False, "initial_scale": 8.0},
    "Custom>LossScaleOptimizer": {"dynamic": False, "initial_scale": 8.0},
    "LossScaleOptimizer": {"loss_scale": _OBJECT},
    "LossScaleOptimizerV1": {"loss_scale": 8.0},
}


@pytest.mark.parametrize("name", [*_FIXED, "dynamic"])
def test_scaled_losses(name: str) -> None:
    """An optimizer that scales losses by a factor that does not change has the state of the one inside it alone; one
    whose factor changes has it, too."""
    with ckpttool.open(TENSORFLOW / "2.15_trained/adam") as opened:
        settings: Any = opened.training_config
        inner = "optimizer" if name in ("LossScaleOptimizer", "LossScaleOptimizerV1") else "inner_optimizer"
        config = {inner: settings["optimizer_config"], **_FIXED.get(name, {"dynamic": True})}
        entry = {"class_name": name if name in _FIXED else "LossScaleOptimizerV3", "config": config}
        result = verified(replace(opened, training_config={**settings, "optimizer_config": entry}))
    assert [finding.label for finding in result.failures] == ([] if name in _FIXED else _SCALING)
    assert len(state_names(result)) == 6


_SCALING = ["optimizer/step_counter", "optimizer/dynamic_scale"]


def test_momenta_that_sgd_does_not_use() -> None:
    """SGD since 2.11 keeps momenta in any case; that is no difference where momentum is 0."""
    entry = {"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.0}}
    path = TENSORFLOW / "2.15_trained/sgd"
    with ckpttool.open(path) as checkpoint:
        architecture = read_architecture({**checkpoint.config, "compile_config": {"optimizer": entry}})
    assert architecture is not None
    assert not verified(path, architecture).findings


@pytest.mark.parametrize(
    ("optimizer", "missing", "unexpected"),
    [("Adam", "velocity", 0), ("SGD", "", 0), ("RMSprop", "velocity", 2), ("Adagrad", "accumulator", 2)],
)
def test_state_of_another_optimizer(optimizer: str, missing: str, unexpected: int, tmp_path: Path) -> None:
    """A variable that the optimizer needs and the file lacks is missing; any other of the file is left over."""
    result = verified(
        _checkpoint(tmp_path, ["kernel", "bias"], "momentum" if optimizer == "SGD" else "m"), _dense(optimizer)
    )
    names = {finding.label for finding in result.failures if finding.status is Status.MISSING}
    assert names == ({f"optimizer/d/{name}/{missing}" for name in ("kernel", "bias")} if missing else set())
    assert len([finding for finding in result.failures if finding.status is Status.UNEXPECTED]) == unexpected


def test_a_weight_that_had_no_gradient_yet(tmp_path: Path) -> None:
    """An optimizer up to 2.10 makes its variables at the first gradient: what it has not made is not missing."""
    result = verified(_checkpoint(tmp_path, ["kernel"], "momentum"), _dense("SGD"))
    assert [(finding.label, finding.accepted) for finding in result.findings] == [("optimizer/d/bias/momentum", True)]
    assert not result.failures


def test_an_optimizer_that_has_not_begun(tmp_path: Path) -> None:
    """All of the state is missing where nothing is stored."""
    path = _checkpoint(tmp_path, [], "m", counted=False)
    assert {finding.why for finding in verified(path, _dense("Adam")).failures} == {"the file has no state"}


def test_several_optimizers(tmp_path: Path) -> None:
    """Of two optimizers nothing says which is that of the model."""
    path = _checkpoint(tmp_path, ["kernel"], "m", ["first", "second"])
    assert {finding.why for finding in verified(path, _dense("Adam")).failures} == {
        "the file holds 2 optimizers, and nothing says which belongs to this model"
    }


def test_an_architecture_without_an_optimizer() -> None:
    """An architecture that names no optimizer is refused, as for other files."""
    with pytest.raises(UnsupportedError, match="names no optimizer"):
        verified(TENSORFLOW / "2.15/slots", TENSORFLOW / "2.15/slots.json")


def _dense(optimizer: str) -> Architecture:
    """A layer of Keras 2 compiled with an optimizer."""
    config = {"momentum": 0.9} if optimizer == "SGD" else {}
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 2], "name": "in"}},
        {"class_name": "Dense", "config": {"name": "d", "units": 1}},
    ]
    architecture = read_architecture(
        {
            "class_name": "Sequential",
            "config": {"name": "m", "layers": layers},
            "compile_config": {"optimizer": {"class_name": optimizer, "config": config}},
        },
        "2.9.0",
    )
    assert architecture is not None
    return architecture


def _checkpoint(
    folder: Path, names: Sequence[str], kind: str, optimizers: Sequence[str] = ("optimizer",), counted: bool = True
) -> Path:
    """A checkpoint of this layer and an optimizer of before 2.11 that keeps one kind of variable for these weights."""
    sizes = {"kernel": (2, 1), "bias": (1,)}
    nodes: list[writer.Object] = [([("layer-0", 1)], [], []), ([("kernel", 2), ("bias", 3)], [], [])]
    tensors = {name: sizes[name] for name in ("kernel", "bias")}
    nodes += [([], [("VARIABLE_VALUE", f"d/{name}", name)], []) for name in tensors]
    root = list(nodes[0][0])
    for optimizer in optimizers if counted else ():
        first = len(nodes) + 1
        slots = [(2 + at, kind, first + 1 + at) for at, _ in enumerate(names)]
        root.append((optimizer, first - 1))
        nodes.append(([("iter", first)], [], slots))
        keys = {f"{optimizer}/iter": (), **{f"{name}/{optimizer}/{kind}": sizes[name] for name in names}}
        nodes += [([], [("VARIABLE_VALUE", key, key)], []) for key in keys]
        tensors |= keys
    nodes[0] = (root, [], [])
    data, pairs = b"", []
    for key, shape in sorted(tensors.items()):
        value = struct.pack("<2f", 1, 2)[: 8 if shape == (2, 1) else 4]
        pairs.append((key.encode(), writer.entry(1, shape, len(data), len(value), writer.masked(value))))
        data += value
    stored, crc = writer.texts([writer.graph(nodes)])
    pairs.append((writer.OBJECT_GRAPH.encode(), writer.entry(7, [], len(data), len(stored), crc)))
    return writer.write(folder, sorted(pairs), data + stored)
