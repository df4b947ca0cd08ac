"""Templates of names: filled as Keras does, checked early, and the container that each suffix means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpttool.callbacks.names import Container, Names

ARCHIVE, WEIGHTS, MODEL, OLD = (
    Container.ARCHIVE,
    Container.WEIGHTS,
    Container.LEGACY_MODEL,
    Container.LEGACY_WEIGHTS,
)


@pytest.mark.parametrize(
    ("filepath", "weights_only", "container", "directory", "filled"),
    [
        ("best_model.weights.h5", True, WEIGHTS, ".", "best_model.weights.h5"),
        ("checkpoints/epoch_{epoch:02d}-val_loss_{val_loss:.2f}.weights.h5", True, WEIGHTS, "checkpoints",
         "epoch_03-val_loss_0.12.weights.h5"),
        ("model_epoch_{epoch:02d}.keras", False, ARCHIVE, ".", "model_epoch_03.keras"),
        ("model.h5", False, MODEL, ".", "model.h5"),
        ("model.h5", True, OLD, ".", "model.h5"),
        ("weights.{epoch:02d}-{val_loss:.2f}.hdf5", False, MODEL, ".", "weights.03-0.12.hdf5"),
        ("weights.{epoch:02d}-{val_loss:.2f}.hdf5", True, OLD, ".", "weights.03-0.12.hdf5"),
        ("/runs/a/{epoch}/{batch}.keras", False, ARCHIVE, "/runs/a", "3/5.keras"),
        ("run{epoch}/m.keras", False, ARCHIVE, ".", "run3/m.keras"),
    ],
)  # fmt: skip
def test_the_spellings_that_people_use(
    filepath: str, weights_only: bool, container: Container, directory: str, filled: str
) -> None:
    """Each is understood, and filled with epochs and batches that count from one."""
    names = Names.of(filepath, weights_only)
    assert (names.container, str(names.directory)) == (container, directory)
    assert names.name(2, 4, {"val_loss": 0.123}) == filled


@pytest.mark.parametrize(
    ("filepath", "weights_only", "message"),
    [
        ("model", False, "must end in `.keras`"),
        ("model.txt", True, "must end in `.weights.h5`"),
        ("model.keras", True, "must end in `.weights.h5`"),
        ("gs://bucket/model.keras", False, "not on this machine"),
        ("m{epoch:q}.keras", False, "cannot be filled"),
        ("m{epoch.keras", False, "cannot be filled"),
        ("m{}.keras", False, "cannot be filled"),
        ("m{0}.keras", False, "cannot be filled"),
        ("m{epoch.real.x}.keras", False, "cannot be filled"),
    ],
)
def test_what_cannot_be_meant(filepath: str, weights_only: bool, message: str) -> None:
    """A path that cannot be used is refused when the callback is made, not after the first epoch."""
    with pytest.raises(ValueError, match=message):
        Names.of(filepath, weights_only)


def test_a_log_that_is_not_there() -> None:
    """The error has Keras's words, and the names that do exist."""
    with pytest.raises(KeyError, match=r"Failed to format this callback filepath.*val_acc.*epoch, loss"):
        Names.of("m-{val_acc:.2f}.keras", False).name(0, None, {"loss": 1.0})


@pytest.mark.parametrize("name", ["../../etc/x", "..", "a/../../x"])
def test_a_log_leads_nowhere(name: str) -> None:
    """A name with the text of a log stays within the directory."""
    with pytest.raises(ValueError, match="out of the directory"):
        Names.of("d/{who}.keras", False).name(0, None, {"who": f"../{name}"})


def test_what_is_saved_out_of_turn() -> None:
    """A file saved outside the schedule has a name that no file of the series has."""
    assert Names.of("d/epoch_{epoch:02d}.weights.h5", True).last == "epoch.last.weights.h5"
    assert Names.of("d/{epoch}.keras", False).last == "checkpoint.last.keras"


@given(st.sets(st.integers(2, 9)))
def test_numbers_where_a_name_is_taken(taken: set[int]) -> None:
    """The first that is free, before the suffix."""
    names = Names.of("m.weights.h5", True)
    used = {"m.weights.h5", *(f"m-{number}.weights.h5" for number in taken)}
    numbered = names.numbered("m.weights.h5", used)
    assert numbered not in used
    assert numbered == f"m-{min(set(range(2, 11)) - taken)}.weights.h5"


@pytest.mark.parametrize(
    ("filepath", "save_freq", "retained", "message"),
    [
        ("m.keras", "epoch", True, "need {epoch}"),
        ("m{batch}.keras", "epoch", False, "no {batch}"),
        ("m{epoch}-{val_loss}.keras", 5, False, "no val_loss"),
    ],
)
def test_placeholders_that_are_never_known(filepath: str, save_freq: Any, retained: bool, message: str) -> None:
    """They are refused when the callback is made."""
    names = Names.of(filepath, False)
    with pytest.raises(ValueError, match=message):
        names.check_use(save_freq, retained)


@pytest.mark.parametrize(
    ("filepath", "weights_only", "warned"),
    [
        ("m.keras", False, ""),
        ("m.weights.h5", True, ""),
        ("m.h5", False, ""),
        ("m.hdf5", False, "use .keras"),
        ("m.hdf5", True, "use .weights.h5"),
        ("m.h5", True, "use .weights.h5"),
        ("m.weights.h5", False, "load_weights does not read"),
    ],
)
def test_names_that_promise_something_else(filepath: str, weights_only: bool, warned: str) -> None:
    """The format that is written instead is named in a warning."""
    warning = Names.of(filepath, weights_only).warning()
    assert warned in warning
    assert bool(warning) == bool(warned)
