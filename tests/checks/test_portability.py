"""Rules of portability: what they say of a file is what Keras 3 does with it."""

import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import pytest

import ckpttool
from ckpttool.checks.policy import Policy
from ckpttool.checks.runner import check_file
from ckpttool.conversion import EDITS, plan
from tests.checks.files import report_on
from tests.loops import for_each
from tests.samples import FIXTURES

pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow, and of Keras about old files

OLD_MODELS = sorted(
    path.relative_to(FIXTURES).as_posix()
    for folder in ("keras2.12", "keras2.13", "keras2.15", "keras2.2", "old_layers/keras2.15", "old_layers/keras2.2")
    for path in (FIXTURES / folder).iterdir()
    if path.suffix in (".h5", ".keras")
    and "weights" not in path.name
    and path.name not in ("npz.keras", "h5_named.keras")
)

_OTHERS = (path.name for path in sorted((FIXTURES / "old_models").glob("*.h5")) if "weights" not in path.name)
WHOLE = [*OLD_MODELS, *(f"old_models/{name}" for name in _OTHERS)]


@cache
def planned(name: str) -> dict[str, set[str]]:
    """The details of the edits that the plan of a fixture has, by their names."""
    details: dict[str, set[str]] = {}
    for edit in plan(FIXTURES / name, "model.keras").edits:
        details.setdefault(edit.edit.name, set()).add(edit.detail)
    return details


def details_by_code(name: str, family: str = "P") -> dict[str, list[str]]:
    """The details of all that is found in a fixture, by code."""
    details: dict[str, list[str]] = {}
    for finding in report_on(str(FIXTURES / name), family).findings:
        if finding.rule.code != "P106":  # which is said where it is asked for
            details.setdefault(finding.rule.code, []).append(f"{finding.where}: {finding.detail}")
    return details


@pytest.fixture(scope="module")
def keras() -> Any:
    """Live Keras 3."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    return pytest.importorskip("keras", minversion="3.15")


def loaded(keras: Any, name: str) -> Any:
    """The model that Keras 3 loads from a fixture, None where it raises."""
    try:
        return keras.models.load_model(FIXTURES / name, compile=False)
    except Exception:  # of any kind: old files meet many parts of Keras
        return None


def refusals(details: dict[str, list[str]]) -> list[str]:
    """The details of the findings that Keras 3 raises, compiled or not."""
    return [detail for detail in details.get("P102", []) if "compile=False" not in detail]


@pytest.mark.parametrize("name", WHOLE)
def test_against_live_keras(name: str, keras: Any) -> None:
    """Keras 3 raises just where it is said to refuse a file, or to need the code of own classes; where it changes the
    shape of an input, that is said."""
    details, model = details_by_code(name), loaded(keras, name)
    assert "P101" in details
    needs_code = any("custom_objects" in detail for detail in details.get("P105", []))
    assert (model is None) == bool(refusals(details) or needs_code)
    if model is not None and "P103" not in details:
        architecture = ckpttool.load_architecture(FIXTURES / name)
        assert [tuple(t.shape) for t in model.inputs] == [shape for _, shape in architecture.inputs]


@pytest.mark.parametrize(
    "name", ["old_layers/keras2.2/hard_sigmoid_dense.h5", "old_layers/keras2.2/hard_sigmoid_bare.h5"]
)
def test_hard_sigmoid(name: str) -> None:
    """The function that means something else today is told as such."""
    assert any("hard-sigmoid" in detail for detail in details_by_code(name)["P103"])


@pytest.mark.parametrize(
    "name", sorted(path.relative_to(FIXTURES).as_posix() for path in (FIXTURES / "old_layers/keras1.2").glob("*.h5"))
)
def test_keras_1(name: str) -> None:
    """Configs of Keras 1 are refused by Keras 3 whatever is in them."""
    details = details_by_code(name)
    assert details["P102"]
    assert "P103" not in details


def test_keras_0() -> None:
    """So are the weights of Keras 0, in whose layout Keras 3 finds no layers."""
    assert set(details_by_code("keras0.3/cnn_weights.hdf5")) == {"P102"}


def test_weights_alone() -> None:
    """Weights without a config tell nothing."""
    for name in ("keras2.15/cnn_weights.h5", "keras3/many.weights.h5", "keras1.2/cnn_weights.h5"):
        assert not details_by_code(name)


def test_lambda_layers() -> None:
    """The code of a Lambda layer has no exact form, and the plan says what it takes."""
    details = details_by_code("old_layers/keras2.2/refused_lambda.h5")
    assert any("--replace" in detail for detail in details["P104"])


def test_custom_classes() -> None:
    """Own classes need their code to be converted and to be loaded, and are a matter of safety."""
    assert any("mine>Scale" in detail for detail in details_by_code("old_layers/keras2.15/own_class.h5")["P105"])
    assert details_by_code("keras3/odd.keras") == {
        "P107": ["config: load_model needs them as custom_objects: fixtures>Odd"]
    }
    assert "S104" in details_by_code("keras3/odd.keras", "S")


def test_the_plan_in_a_line() -> None:
    """The writer of a file, and what `ckpttool convert` would do with it, are one finding."""
    (detail,) = details_by_code("keras2.15/cnn.h5")["P101"]
    assert detail.startswith("config: a config of Keras 2 (2.15.0); ckpttool convert would make ")
    (detail,) = details_by_code("old_layers/keras2.15/refused_block.h5")["P101"]
    assert detail.endswith("and would refuse 1 part of the model")


def test_one_finding_for_many_places() -> None:
    """An edit that many layers need is reported once, with the first of them."""
    details = [
        detail for detail in details_by_code("old_models/m032_ConvLSTM2D.h5")["P103"] if "scale-hard-sigmoid" in detail
    ]
    assert len(details) == 1


# What Keras 3.15 computes otherwise where an edit is not made, by the names of edits.
COMPUTED_DIFFERENTLY = {
    *("scale-hard-sigmoid", "rescale-hard-sigmoid", "register-hard-sigmoid"),
    *("write-padding", "write-default", "write-backward-layer", "state-input"),
}


@for_each(WHOLE)
def test_against_the_plan(name: str) -> None:
    """Every kind of edit that a plan has, and without which Keras 3 computes something else, is told once."""
    expected = {edit for edit, details in planned(name).items() if details != {"data_format='channels_last'"}}
    names = [detail.split(": ")[1].split(" (")[0].split(", ")[0] for detail in details_by_code(name).get("P103", [])]
    assert sorted(names) == sorted(expected & COMPUTED_DIFFERENTLY)


IN_ORDER = "old_models/m021_ZeroPadding1D.h5"  # whose layer states no order of axes


def test_what_keras_3_takes_by_itself() -> None:
    """A convolution of Keras 2.0 or 2.1 without data_format is channels_last in Keras 3, too."""
    assert planned(IN_ORDER)["write-default"] == {"data_format='channels_last'"}
    assert not any("write-default" in detail for detail in details_by_code(IN_ORDER).get("P103", []))


def test_all_kinds_are_met() -> None:
    """The fixtures have every such edit, but those for options, other backends, and Bidirectional run backwards."""
    met = {edit for name in WHOLE for edit in planned(name)}
    seldom = {"register-hard-sigmoid", "write-padding", "write-backward-layer"}
    assert met >= COMPUTED_DIFFERENTLY - seldom
    assert {edit.name for edit in EDITS} >= seldom


def test_a_list_of_layers(tmp_path: Path) -> None:
    """The config of a Sequential model as Keras wrote it up to 2.2.2 is refused."""
    path = Path(shutil.copy(FIXTURES / "keras2.15/mlp.h5", tmp_path))
    assert not [finding for finding in check_file(str(path)).findings if "form of Keras 2.2.2" in finding.detail]
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = json.dumps({**config, "config": config["config"]["layers"]})
    (refusal,) = [finding for finding in check_file(str(path)).findings if finding.rule.code == "P102"]
    assert "the form of Keras 2.2.2" in refusal.detail


def test_broken_files() -> None:
    """A file that cannot be opened, or is no model, has no finding of portability."""
    for path in sorted((FIXTURES / "broken").iterdir()):
        assert not [finding for finding in check_file(str(path)).findings if finding.rule.code.startswith("P")]


def test_who_opens_a_model_of_keras_3() -> None:
    """P106, Keras 2 does not open the model, is reported where it is selected, and only of whole models of Keras 3."""
    for name, codes in (("keras3/mlp.keras", {"P106"}), ("keras3/cnn.h5", {"P106"}), ("keras3/mlp.weights.h5", set())):
        for select in (("P",), ("ALL", "P106")):
            findings = check_file(str(FIXTURES / name), Policy(select=select)).findings
            assert {finding.rule.code for finding in findings} == codes, name
        assert not check_file(str(FIXTURES / name)).findings
    findings = check_file(str(FIXTURES / "keras2.15/mlp.keras"), Policy(select=("P",))).findings
    assert "P106" not in {finding.rule.code for finding in findings}
