"""The answers of `verify` on the state of an optimizer in a whole legacy model, against those of `load_model`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import ckpttool
from ckpttool.alignment.architectures import load_spec
from ckpttool.checks.runner import check_file
from ckpttool.model.spec import to_json
from ckpttool.verification import Allowed, Status, VerifyResult
from tests.live import keras as live_keras
from tests.samples import FIXTURES

keras: Any = live_keras()

pytestmark = pytest.mark.filterwarnings("ignore")


def _mapped() -> Any:
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(keras.optimizers.Adam(), {".*out/.*": keras.optimizers.SGD(momentum=0.9)})
    )


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam": lambda: keras.optimizers.Adam(0.5),
    "ftrl": lambda: keras.optimizers.Ftrl(use_ema=True),
    "mapped": _mapped,
    "muon": lambda: keras.optimizers.Muon(),
    "nadam": lambda: keras.optimizers.Nadam(),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    "scaled sgd": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
    "scheduled": lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    "scheduled adam": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10)),
    "sgd": lambda: keras.optimizers.SGD(),
    "sgd with averages": lambda: keras.optimizers.SGD(use_ema=True, gradient_accumulation_steps=2),
}


def saved(path: Path, optimizer: Any, loss: Any = None) -> Any:
    """A model in a legacy file, each variable of its optimizer with a value of its own, and its config beside it."""
    layers = [keras.layers.Dense(2, name=name) for name in ("in", "out")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer=optimizer, loss=loss or keras.losses.MeanSquaredError())
    model.optimizer.build(model.trainable_variables)
    for at, variable in enumerate(model.optimizer.variables):
        variable.assign(np.full(variable.shape, at + 3))
    path.with_suffix(".json").write_text(model.to_json())  # saving takes the optimizer out of its config
    model.save(path)
    return model


def names(file: h5py.File) -> list[str]:
    """The names of the stored variables."""
    return list(file["optimizer_weights"].attrs["weight_names"])


def _unchanged(file: h5py.File) -> None:
    """Changes nothing."""


def _last_left_out(file: h5py.File) -> None:
    file["optimizer_weights"].attrs["weight_names"] = names(file)[:-1]


def _one_more(file: h5py.File) -> None:
    file["optimizer_weights/more"] = np.zeros((), "float32")
    file["optimizer_weights"].attrs["weight_names"] = [*names(file), "more"]


def _first_reshaped(file: h5py.File) -> None:
    path = f"optimizer_weights/{names(file)[0]}"
    del file[path]
    file[path] = np.full((2,), 9, "int64")


def _without(file: h5py.File) -> None:
    del file["optimizer_weights"]


EDITS = [_unchanged, _last_left_out, _one_more, _first_reshaped, _without]


def verified(path: Path, architecture: Any) -> VerifyResult:
    """The verdict on a file, state included."""
    return ckpttool.verify(path, architecture, allowed=Allowed(optimizer=True))


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_load_model_takes(name: str, edit: Callable[[h5py.File], None], tmp_path: Path) -> None:
    """The variables that match are those that load_model gives their values back, but for learning rates, which
    come from the config too."""
    path = tmp_path / "model.h5"
    model = saved(path, OPTIMIZERS[name]())
    stored = [variable.numpy() for variable in model.optimizer.variables]
    with h5py.File(path, "r+") as file:
        edit(file)
    loaded = [variable.numpy() for variable in keras.models.load_model(path).optimizer.variables]
    restored = {at for at, (a, b) in enumerate(zip(stored, loaded, strict=False)) if np.array_equal(a, b)}
    result = verified(path, tmp_path / "model.json")
    slots = [slot for slot, _ in result.matched if slot.path.startswith("optimizer/")]
    matched = {int(slot.path.rpartition("/")[2]) for slot in slots}
    assert matched <= restored
    assert {model.optimizer.variables[at].name for at in restored - matched} <= {"learning_rate"}
    assert result.ok == (matched == set(range(len(stored))) and edit is _unchanged)
    assert result.keras == ("loads" if result.ok else "loads wrongly")
    assert "load_model" in result.because


def _with_settings(path: Path, optimizer: dict[str, Any]) -> None:
    with h5py.File(path, "r+") as file:
        settings = json.loads(file.attrs["training_config"])
        file.attrs["training_config"] = json.dumps({**settings, "optimizer_config": optimizer})


_SCALING_2 = [("LossScaleOptimizer", None), ("LossScaleOptimizer", "keras.optimizers.legacy")]
_SCALING_2 += [("LossScaleOptimizerV1", None), ("LossScaleOptimizerV3", "keras.optimizers")]


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("name", "module"), _SCALING_2)
def test_scaled_losses_of_keras_2(name: str, module: str | None, dynamic: bool, tmp_path: Path) -> None:
    """An optimizer that scales losses as Keras 2.4 to 2.15 stored it, dynamic or of a fixed factor: load_model raises,
    which `verify` says, and `check` that it does when it compiles."""
    path = tmp_path / "model.h5"
    saved(path, keras.optimizers.Adam())
    inner = {"class_name": "Adam", "config": {"name": "Adam", "learning_rate": 0.1}}
    inner |= {} if module is None else {"module": module, "registered_name": None}
    scaling = {"dynamic": dynamic, "initial_scale": 128.0, "dynamic_growth_steps": 2000 if dynamic else None}
    _with_settings(path, {"class_name": name, "config": {"inner_optimizer": inner, **scaling}})
    with pytest.raises((KeyError, TypeError, ValueError)):
        keras.models.load_model(path)
    result = verified(path, tmp_path / "model.json")
    assert (result.ok, result.keras) == (False, "raises")
    assert any(f"the {name} of Keras 2" in problem for problem in result.problems)
    findings = [finding for finding in check_file(str(path)).findings if finding.rule.code in ("P102", "S104")]
    assert [(finding.rule.code, finding.where) for finding in findings] == [("P102", "compile/optimizer")]


SOURCES = ["its own config", "a whole model", "a spec", "no optimizer"]


@pytest.mark.parametrize("source", SOURCES)
def test_where_the_optimizer_comes_from(source: str, tmp_path: Path) -> None:
    """The optimizer is the one that the architecture names, in whatever form, else the one in the file."""
    path, other, architecture = tmp_path / "model.h5", tmp_path / "other.h5", tmp_path / "other.json"
    saved(path, keras.optimizers.SGD())
    saved(other, keras.optimizers.SGD(momentum=0.9))
    if source == "a spec":
        architecture.write_text(to_json(load_spec(architecture)))
    if source == "no optimizer":
        architecture.write_text(json.dumps(json.loads(architecture.read_text()) | {"compile_config": None}))
    result = verified(path, other if source == "a whole model" else architecture)
    missing = [finding.label for finding in result.failures if finding.status is Status.MISSING]
    momenta = [f"optimizer/{name}/momentum" for name in ("in/kernel", "in/bias", "out/kernel", "out/bias")]
    assert missing == ([] if source == "no optimizer" else momenta)
    assert result.ok == (source == "no optimizer")


LOSSES = sorted(
    {name for name, value in vars(keras.losses).items() if callable(value) and not name[0].isupper()}
    - {"deserialize", "get", "serialize"}
    | {short for name in ("bce", "kld", "mae", "mape", "mse", "msle") for short in (name, name.upper())}
)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_that_load_model_refuses(loss: str, nested: bool, tmp_path: Path) -> None:
    """Losses whose names make load_model raise, as short ones do, are told, by `check`, too; others are not."""
    path = tmp_path / "model.h5"
    saved(path, keras.optimizers.SGD(), [loss] if nested else loss)
    raised = False
    try:
        keras.models.load_model(path)
    except (TypeError, ValueError):
        raised = True
    result = verified(path, path)
    assert raised == (result.keras == "raises") == (not result.ok)
    assert raised == any(loss in problem for problem in result.problems)
    assert raised == any(finding.rule.code == "P102" for finding in check_file(str(path)).findings)


OLD = {"keras1.2/mlp.h5": "1.2.2", "keras2.2/recurrent.h5": "2.2.4", "keras2.15/mlp.h5": "2.15.0"}


@pytest.mark.parametrize("name", OLD)
def test_older_generations(name: str) -> None:
    """State that an older Keras wrote is never said to load: its variables are others."""
    result = verified(FIXTURES / name, FIXTURES / name)
    state = [finding for finding in result.failures if finding.label.startswith("optimizer/")]
    assert state
    assert any(f"written by Keras {OLD[name]}" in finding.why for finding in state)
    assert any("setting lr" in problem for problem in result.problems) == (OLD[name] != "2.15.0")
    assert not result.ok


@pytest.mark.parametrize("config", [None, 3, [], {}, {"optimizer_config": 3}, {"loss": {"a": [["mse"]]}}, {"loss": 3}])
def test_junk_for_a_training_config(config: Any, tmp_path: Path) -> None:
    """A training config that makes no sense names no optimizer."""
    path = tmp_path / "model.h5"
    saved(path, keras.optimizers.SGD())
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = json.dumps(config)
    with pytest.raises(ckpttool.CheckpointError, match="no optimizer"):
        verified(path, path)
