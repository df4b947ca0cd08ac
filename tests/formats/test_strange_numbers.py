"""Numbers that are none, everywhere where a file states one: every reader gives a `CheckpointError`, or goes on."""

import json
import math
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ckpttool
from ckpttool.comparison.fingerprints import fingerprint
from ckpttool.conversion import plan
from ckpttool.errors import CheckpointError
from ckpttool.inspection.info import describe
from ckpttool.inspection.listing import Choice, list_checkpoint
from ckpttool.io.budget import LEAST_STEPS, Budget
from ckpttool.render import INFO_OUTPUTS, LISTING_OUTPUTS, VERIFY_OUTPUTS, Style
from ckpttool.render.checks import CHECK_OUTPUTS
from ckpttool.render.conversions import CONVERSION_OUTPUTS
from tests.samples import FIXTURES, members, zipped
from tests.speeds import examples, is_full


def operations() -> dict[str, Callable[[Path], object]]:
    """Every operation of the library."""
    good = FIXTURES / "keras3/mlp.keras"

    def opened(operation: Callable[[ckpttool.Checkpoint], object]) -> Callable[[Path], object]:
        def run(path: Path) -> object:
            with ckpttool.open(path) as checkpoint:
                return operation(checkpoint)

        return run

    return {
        "ls": opened(lambda checkpoint: list_checkpoint(checkpoint, Choice(stats=True, sha256=True))),
        "info": opened(describe),
        "textconv": opened(fingerprint),
        "verify": opened(lambda checkpoint: ckpttool.verify(checkpoint, checkpoint.path, values=True)),
        "diff": lambda path: ckpttool.diff(path, good),
        "spec": ckpttool.load_spec,
        "plan": lambda path: plan(path, path.with_suffix(".new.keras")),
        "check": ckpttool.check,
    }


NUMBERS = st.sampled_from([
    None, True, False, "", "²", "٣", "9" * 5000, "nan", "-0", "1e999", math.nan, math.inf, -math.inf, 1e308, -1, 0, 0.5,
    2**63, 2**64, 10**4299, [], [[]], [[], [[]]], {}, [True], [math.nan], [None, None], ["²"], [10**4299], [0.5, -1],
])  # fmt: skip
ARCHIVES = ("keras3/cnn.keras", "keras2.15/wrappers.keras", "keras3/lookup.keras", "keras3/int8.keras")
LEGACY = ("keras2.2/recurrent.h5", "keras1.2/bidirectional.h5", "keras2.15/nested.h5", "keras3/cnn.h5")
ATTRIBUTED = ("keras0.3/mlp_weights.hdf5", "keras1.2/mlp.h5", "keras2.15/mlp.h5", "keras3/mlp.weights.h5")
COMMANDS = {name: run for name, run in operations().items() if name not in ("diff",)}
SHOWN: dict[str, Callable[[Any], str]] = {
    "ls": lambda result: LISTING_OUTPUTS["json"](result, Style()),
    "info": lambda result: INFO_OUTPUTS["json"](result, Style()),
    "verify": lambda result: VERIFY_OUTPUTS["json"](result, Style()),
    "plan": lambda result: CONVERSION_OUTPUTS["json"](result, Style()),
    "check": lambda result: CHECK_OUTPUTS["json"](result, Style()),
}
FEW = settings(
    max_examples=examples(36) if is_full() else 3,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check(path: Path) -> None:
    """Every command on the file gives a result or a `CheckpointError`, which names the file."""
    for name, run in COMMANDS.items():
        error: CheckpointError | None = None
        result: object = None
        try:
            result = run(path)
        except CheckpointError as caught:
            error = caught
        assert (error is None) != (result is None)
        assert error is None or path.name in str(error), f"{name}: {error}"
        assert result is None or name not in SHOWN or json.loads(SHOWN[name](result), parse_constant=_unknown)


def _unknown(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


def changed(value: Any, draw: Callable[[Any], Any]) -> Any:
    """The value with up to three places in it changed to odd numbers: numbers rather than others."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        numbers = [place for place in places if isinstance(place[0][place[1]], int | float)]
        owner, key = draw(st.sampled_from(numbers if numbers and draw(st.booleans()) else places))
        owner[key] = deepcopy(draw(NUMBERS))  # which the next change may change in turn
    return value


def _places(value: Any) -> Any:
    """The places of all values in lists and objects."""
    keys: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


@pytest.mark.parametrize("name", ARCHIVES)
@FEW
@given(data=st.data())
def test_configs_in_archives(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """The config of a `.keras`."""
    parts = members(name)
    config = changed(json.loads(parts["config.json"]), data.draw)
    check(zipped(tmp_path / "odd.keras", parts | {"config.json": json.dumps(config).encode()}))


@pytest.mark.parametrize("name", LEGACY)
@FEW
@given(data=st.data())
def test_configs_in_legacy_files(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """The configs of a legacy model and of its optimizer."""
    path = Path(shutil.copy(FIXTURES / name, tmp_path / "odd.h5"))
    with h5py.File(path, "r+") as file:
        for key in {"model_config", "training_config"} & set(file.attrs):
            text = json.dumps(changed(json.loads(file.attrs[key]), data.draw))
            file.attrs[key] = np.bytes_(text) if len(text) < 60_000 else text[:60_000]
    check(path)


@pytest.mark.parametrize("name", ["keras0.3/mlp.json", "keras2.2/nested.json", "keras2.15/mlp.json"])
@FEW
@given(data=st.data())
def test_architectures(name: str, data: st.DataObject, tmp_path: Path) -> None:
    """An architecture in JSON."""
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(changed(json.loads((FIXTURES / name).read_text()), data.draw)))
    check(path)


ATTRIBUTES = st.sampled_from([
    "²", "٣", "", b"\xb2", True, math.nan, math.inf, -1, 2**63, np.float16(2), np.array([]), np.array([[1]]),
    np.array([b"\xb2", b""]), np.zeros((0, 3)), np.array([math.nan]), np.complex64(1),
])  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTED)
@FEW
@given(data=st.data())
def test_attributes(name: str, data: st.DataObject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attribute of any group or dataset, and what the small datasets hold, such as the number of steps."""
    # A number of layers without end takes all that a file may cost; these files take a hundredth.
    monkeypatch.setattr(Budget.__init__, "__defaults__", (LEAST_STEPS // 10,))
    path = Path(shutil.copy(FIXTURES / name, tmp_path / "odd.h5"))
    with h5py.File(path, "r+") as file:
        items = [file]
        file.visititems(lambda _, item: items.append(item))
        owners = [(item, key) for item in items for key in item.attrs]
        for owner, key in data.draw(st.lists(st.sampled_from(owners), max_size=3)) if owners else ():
            owner.attrs[key] = data.draw(ATTRIBUTES)
        for item in items:
            if isinstance(item, h5py.Dataset) and item.shape == () and data.draw(st.booleans()):
                item[()] = data.draw(st.sampled_from([0, -1, 2**31 - 1])) if item.dtype.kind in "iu" else math.nan
    check(path)


@pytest.mark.parametrize("name", ["²", "٣", "1²", "9" * 400, "-1", "0_0"])
def test_names(name: str, tmp_path: Path) -> None:
    """Names of weights and layers that end in digits of other scripts, or in very many."""
    path = tmp_path / "odd.weights.h5"
    with h5py.File(path, "w") as file:
        for owner in ("layers/dense", f"layers/dense_{name}", f"_layer_checkpoint_dependencies/layer_{name}"):
            file[f"{owner}/vars/0"] = np.zeros((3, 4), "f4")
            file[f"{owner}/vars/{name}"] = np.zeros(4, "int8")
    check(path)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([f"layer_{name}".encode(), f"dense_{name}".encode()])
        for layer in file.attrs["layer_names"]:
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([f"{name}:{name}".encode()])
            group[f"{name}:{name}"] = np.zeros(4, "f4")
    check(path)
