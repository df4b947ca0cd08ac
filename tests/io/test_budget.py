"""The budget of a file: what it gives, and that every flood of work is charged to it."""

from pathlib import Path

import pytest

from ckpttool.errors import CheckpointError, UnsafeFileError
from ckpttool.formats import open_checkpoint
from ckpttool.io import budget as budget_module
from ckpttool.io.budget import Budget, steps_of_text
from tests.floods import FLOODS

_SMALL = ("digits", "blanks_and_equals")  # whose harm is not in their size
CHARGED = [name for name in FLOODS if not name.endswith(".json") and not name.startswith(_SMALL)]


def test_in_proportion_to_the_file() -> None:
    """A larger file may cost more, and several together what each may; what is spent is gone."""
    budget = Budget(1_600, least=100)
    assert budget.steps == 200
    budget.spend(150)
    budget.grow(800)
    assert budget.steps == 100
    assert budget.affords(100)
    assert not budget.affords(1)
    with pytest.raises(UnsafeFileError, match="far more work"):
        budget.spend(1)


def test_wide_text_costs_more() -> None:
    """A text with one character of four bytes takes four bytes a character, and is charged for that."""
    assert steps_of_text("a" * 4000 + "\U0001f600") > 3 * steps_of_text("a" * 4001)


@pytest.mark.parametrize("name", CHARGED)
def test_floods_are_charged(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood does not open, or not whole, where its file may cost little."""
    path = FLOODS[name](tmp_path / name, 500)
    monkeypatch.setattr(budget_module, "LEAST_STEPS", 0)
    monkeypatch.setattr(Budget.__init__, "__defaults__", (500,))
    monkeypatch.setattr(budget_module, "_BYTES_A_STEP", 1 << 20)
    try:
        with open_checkpoint(path) as checkpoint:
            assert any(refusal.kind == "bomb" for refusal in checkpoint.refusals)
    except CheckpointError:
        return


@pytest.mark.parametrize("name", ["keras_3_chain.keras", "functional_chain.keras", "sequential_layers.keras"])
def test_many_small_layers_are_no_flood(name: str, tmp_path: Path) -> None:
    """A model of 1,500 layers of a few weights each is read as it is."""
    with open_checkpoint(FLOODS[name](tmp_path / name, 1_500)) as checkpoint:
        assert checkpoint.config is not None
        assert checkpoint.refusals == ()
