"""The table of optimizers against live ones: the same variables, in the same order, with the same shapes."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import ckpttool
from ckpttool import Section
from ckpttool.architecture import read_architecture
from ckpttool.architecture.optimizers import OPTIMIZERS, optimizer_slots
from ckpttool.architecture.spec import spec_of

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", minversion="3.15", reason="the oracle of the table is Keras 3.15 itself")

pytestmark = pytest.mark.filterwarnings("ignore")

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "Adam": [{"amsgrad": True}],
    "RMSprop": [{"momentum": 0.9}, {"centered": True}, {"momentum": 0.5, "centered": True}],
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
}
COMMON: list[dict[str, Any]] = [{}, {"use_ema": True}, {"gradient_accumulation_steps": 2}, {"weight_decay": 0.1}]
CASES = [(name, args) for name in OPTIMIZERS for args in (*COMMON, *SETTINGS.get(name, []))]


def compiled(name: str, args: dict[str, Any]) -> Any:
    """A model whose trainable weights are not in the order of its file, compiled and with its optimizer built."""
    layers = [keras.Input((3, 4)), keras.layers.Bidirectional(keras.layers.LSTM(2)), keras.layers.BatchNormalization()]
    model = keras.Sequential([*layers, keras.layers.Dense(2)])
    model.compile(optimizer=getattr(keras.optimizers, name)(**args), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize(("name", "args"), CASES, ids=str)
def test_variables(name: str, args: dict[str, Any], tmp_path: Path) -> None:
    """The variables that the spec of a compiled model expects are those that its file holds."""
    model = compiled(name, args)
    model.save_weights(tmp_path / "model.weights.h5")
    spec = spec_of(read_architecture(json.loads(model.to_json())))  # type: ignore[arg-type]
    with ckpttool.open(tmp_path / "model.weights.h5") as checkpoint:
        stored = {weight.path: weight.shape for weight in checkpoint.section(Section.OPTIMIZER)}
    assert {slot.path: slot.shape for slot in spec.optimizer} == stored
    assert [slot.name.rpartition("/")[2] for slot in spec.optimizer][:1] == ["iteration"]


def test_a_schedule_takes_the_place_of_the_learning_rate() -> None:
    """With a schedule there is no variable for the learning rate."""
    model = compiled("SGD", {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 10)})
    spec = spec_of(read_architecture(json.loads(model.to_json())))  # type: ignore[arg-type]
    assert [slot.name for slot in spec.optimizer] == [variable.name for variable in model.optimizer.variables]


@pytest.mark.parametrize("config", [None, 3, {}, {"optimizer": 3}, {"optimizer": {"class_name": "Own", "config": {}}}])
def test_no_optimizer_that_is_known(config: Any) -> None:
    """Without an optimizer that is known nothing is expected."""
    assert optimizer_slots(config, []) == ()


@pytest.mark.parametrize("value", ["x", [1], {"a": 1}, True, -3, 1e400, None])
@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_junk(name: str, value: Any) -> None:
    """Whatever stands where settings should stand, nothing breaks."""
    settings = dict.fromkeys(("momentum", "centered", "amsgrad", "use_ema", "gradient_accumulation_steps"), value)
    found = optimizer_slots({"optimizer": {"class_name": name, "config": settings}}, [])
    assert all(slot.shape == () for _, slot in found)
