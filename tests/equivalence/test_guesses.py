"""Facts from the values of weights where a side stores no config, and layers in a nested model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.comparison import Scope
from ckpttool.conversion import convert
from ckpttool.equivalence import diff
from tests.comparison.checkpoints import checkpoint, dense
from tests.corpus import FIELD, needs_field
from tests.samples import FIXTURES

RECURRENT = FIXTURES / "keras2.2/recurrent.h5", FIXTURES / "keras2.2/recurrent_weights.h5"


def lstm(factor: float = 1.0) -> dict[str, Any]:
    """The weights of an LSTM, those of three of its four gates multiplied."""
    random = np.random.default_rng(5)
    row = np.repeat(np.float32([factor, factor, 1, factor]), 3)
    shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    return {name: random.normal(size=shape).astype("float32") * row for name, shape in shapes.items()}


def test_a_factor_without_configs() -> None:
    """Weights times 1.2 in three of four gates are different, and a note says what they seem to be, of which layer."""
    result = diff(checkpoint({"lstm": lstm(), "a": dense(1)}), checkpoint({"lstm": lstm(1.2), "a": dense(1)}, name="n"))
    assert result.differences == {"values"}
    (note,) = result.notes
    assert note.startswith("lstm: 3 weights of b are those of a multiplied by 1.2 in 9 of 12 columns")
    back = diff(checkpoint({"lstm": lstm(1.2)}), checkpoint({"lstm": lstm()}, name="n"))
    assert back.notes[0].startswith("lstm: 3 weights of a are those of b multiplied by 1.2")


def test_another_factor_is_no_guess() -> None:
    """Weights times 1.3, or with one more number changed, are only different."""
    other = lstm(1.2)
    other["bias"][0] += 1
    for changed in (lstm(1.3), {"bias": other["bias"]}):
        ours = {name: array for name, array in lstm().items() if name in changed}
        assert diff(checkpoint({"lstm": ours}), checkpoint({"lstm": changed}, name="n")).notes == ()


def test_a_reversed_kernel() -> None:
    """A kernel that runs the other way in space is told as such."""
    kernel = np.arange(3 * 3 * 2 * 2, dtype="float32").reshape(3, 3, 2, 2)
    ours, theirs = {"conv": {"kernel": kernel}}, {"conv": {"kernel": kernel[::-1, ::-1]}}
    (note,) = diff(checkpoint(ours), checkpoint(theirs, name="n")).notes
    assert note.startswith("conv: kernel of b is that of a reversed along all spatial axes, as Theano")


def test_a_config_on_the_newer_side(tmp_path: Path) -> None:
    """Old weights alone are the same in meaning as the converted model, whose config states the hard_sigmoid."""
    source, weights = RECURRENT
    convert(weights, tmp_path / "new.keras", arch=source)
    for ends in ((weights, tmp_path / "new.keras"), (tmp_path / "new.keras", weights)):
        result = diff(*ends)
        assert result.differences == frozenset()
        assert any(statement.what == "3 weights multiplied by 1.2 in 4 of 6 columns" for statement in result.restated)


def test_a_factor_beside_another_activation(tmp_path: Path) -> None:
    """A factor of 1.2 is a change where the config on the newer side states no hard_sigmoid."""
    weights, target = tmp_path / "old_weights.h5", FIXTURES / "keras3/mlp.keras"
    weights.write_bytes((FIXTURES / "keras2.15/mlp_weights.h5").read_bytes())
    with h5py.File(weights, "r+") as file:
        kernel = file["hidden/hidden/kernel:0"]
        kernel[...] = kernel[()] / np.float32(1.2)
    assert diff(weights, target).differences >= {"values"}


HOLDER = {"parallel": {f"{layer}/{name}": array for layer in ("x", "y") for name, array in dense(3).items()}}
SINGLE = {layer: dense(3) for layer in ("x", "y")}


def test_layers_in_one_nested_model() -> None:
    """All weights in one nested model go with the layers of the same names; exactly they are other layers."""
    ends = checkpoint(HOLDER), checkpoint(SINGLE, name="n")
    result = diff(*ends)
    assert (result.differences, len(result.pairs), result.restated[0].where) == (frozenset(), 4, ("x", "y"))
    assert diff(*ends, Scope(exact=True)).differences == {"structure"}
    assert diff(checkpoint(HOLDER), checkpoint({**SINGLE, "z": dense(4)}, name="n")).differences == {"structure"}


def test_a_change_in_a_nested_model() -> None:
    """One number that changed in a nested model is told of its layer."""
    other = {layer: dense(3) for layer in ("x", "y")}
    other["y"]["bias"][1] += 1
    assert [pair.a.name for pair in diff(checkpoint(HOLDER), checkpoint(other, name="n")).changed] == ["y/bias"]


@needs_field
@pytest.mark.parametrize("order", [1, -1])
def test_multi_gpu_weights(order: int, run: Callable[..., Any]) -> None:
    """The weights of a parallel model are those of the single one (keras#11253)."""
    ends = (FIELD / "c02_multi_gpu_weights.h5", FIELD / "c02_single_weights.h5")[::order]
    done = run("diff", *ends)
    assert (done.code, done.out.splitlines()[0]) == (0, "the same in meaning: 4 weights compared, all the same")
