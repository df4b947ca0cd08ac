"""Options of the callback that others see: notes, links, `on_saved`, states of other callbacks."""

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckpttool.callbacks import ModelCheckpoint, saved_in
from ckpttool.manifest import Saved
from tests.callbacks.files import names
from tests.callbacks.test_restoration import Kill, Killed
from tests.callbacks.training import Played, fit, model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_it_is_a_model_checkpoint(tmp_path: Path) -> None:
    """Libraries that look for Keras's own class find it, and copies of it, as tuners make them, save."""
    saving = ModelCheckpoint(tmp_path / "{epoch}.keras", save_freq="epoch", background=True, save_on_signal=True)
    assert isinstance(saving, keras.callbacks.ModelCheckpoint)
    fit(model(), copy.deepcopy(saving), epochs=1)
    assert names(tmp_path) == ["1.keras"]


def test_min_delta(tmp_path: Path) -> None:
    """Only what is so much better is the best."""
    saving = Played(tmp_path / "{epoch}.keras", save_best_only=True, min_delta=0.5)
    saving.play([3.0, 2.8, 2.4, 2.0])
    assert names(tmp_path) == ["1.keras", "3.keras"]
    Played(tmp_path / "up{epoch}.keras", save_best_only=True, min_delta=0.5, mode="max").play([1.0, 1.4, 1.6])
    assert names(tmp_path) == ["1.keras", "3.keras", "up1.keras", "up3.keras"]


@pytest.mark.parametrize("background", [False, True])
def test_whoever_wants_to_know(background: bool, tmp_path: Path) -> None:
    """Each file is told of once it is in its place; what is raised then is a warning."""
    heard: list[tuple[Path, int]] = []

    def hear(path: Path, entry: Saved) -> None:
        assert path.is_file()
        heard.append((path, entry.epoch))
        if entry.epoch == 2:
            raise RuntimeError("the bucket is full")

    saving = ModelCheckpoint(tmp_path / "{epoch}.keras", background=background, on_saved=hear)
    with pytest.warns(UserWarning, match=r"on_saved failed for .*2\.keras: RuntimeError: the bucket is full"):
        fit(model(), saving, epochs=3)
    assert heard == [(tmp_path / f"{epoch}.keras", epoch) for epoch in (1, 2, 3)]


def test_notes(tmp_path: Path) -> None:
    """They come back as they were given."""
    notes = {"commit": "4f2c", "fold": 2, "rate": np.float32(0.5), "limit": float("inf"), "word": "nan"}
    fit(model(), ModelCheckpoint(tmp_path / "m.keras", notes=notes), epochs=1)
    assert saved_in(tmp_path)[0].notes == {**notes, "rate": 0.5}


@pytest.mark.parametrize(
    "notes", [{"a": [1]}, {"a": None}, {1: "a"}, {"a": "x" * 2000}, {str(n): n for n in range(200)}]
)
def test_what_is_no_note(notes: Any, tmp_path: Path) -> None:
    """A note that cannot be stored is an error before anything is trained."""
    with pytest.raises(ValueError, match=r"note|name|state"):
        ModelCheckpoint(tmp_path / "m.keras", notes=notes)


def test_a_link_to_the_newest(tmp_path: Path) -> None:
    """The link leads to the newest file of the series at any time, and a file that is no link is not replaced."""
    leads: list[str] = []

    def look(_path: Path, _entry: Saved) -> None:
        leads.append((tmp_path / "newest.keras").readlink().as_posix())

    saving = ModelCheckpoint(tmp_path / "e{epoch}.keras", keep_last=2, link="newest.keras", on_saved=look)
    fit(model(), saving, epochs=3)
    assert leads == ["e1.keras", "e2.keras", "e3.keras"]
    assert names(tmp_path) == ["e2.keras", "e3.keras", "newest.keras"]
    assert isinstance(keras.models.load_model(tmp_path / "newest.keras"), keras.Sequential)
    (tmp_path / "newest.keras").unlink()
    (tmp_path / "newest.keras").write_text("mine")
    with pytest.warns(UserWarning, match="is not linked to e1-?2?.keras: a file that is no link has this name"):
        fit(model(), ModelCheckpoint(tmp_path / "e{epoch}.keras", link="newest.keras"), epochs=1)
    assert (tmp_path / "newest.keras").read_text() == "mine"


@pytest.mark.parametrize("link", ["", "..", "a/b.keras", "e7.keras", "newest.h5", "e.last.keras"])
def test_what_is_no_name_of_a_link(link: str, tmp_path: Path) -> None:
    """A link elsewhere, of another suffix, or with the name of a file of the series is refused."""
    with pytest.raises(ValueError, match=r"link='"):
        ModelCheckpoint(tmp_path / "e{epoch}.keras", link=link)


class Counting(keras.callbacks.Callback):
    """A callback of a user's own, with a state."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []
        self.best: float | None = None
        self.text = "none"

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Counts."""
        self.seen.append(logs["loss"])
        self.best, self.text = np.float32(min(self.seen)), f"epoch {epoch}"

    def state_dict(self) -> Mapping[str, Any]:
        """The state."""
        return {"seen": self.seen, "best": self.best, "words": self.text, "nothing": None, "so": True}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the state."""
        self.seen, self.best, self.text = state["seen"], state["best"], state["words"]
        assert (state["nothing"], state["so"]) == (None, True)


def test_the_state_of_own_callbacks(tmp_path: Path) -> None:
    """The states of own callbacks are restored after a kill; two of one class have one each."""
    straight, resumed = (Counting(), Counting()), (Counting(), Counting())
    straight[1].seen = [7.0]
    fit(model(), *straight, ModelCheckpoint(tmp_path / "a" / "m.keras", resume=True), epochs=4)
    killed = (Counting(), Counting())
    killed[1].seen = [7.0]
    with pytest.raises(Killed):
        fit(model(), *killed, ModelCheckpoint(tmp_path / "b" / "m.keras", resume=True), Kill(11), epochs=4)
    fit(model(), *resumed, ModelCheckpoint(tmp_path / "b" / "m.keras", resume=True), epochs=4)
    for first, other in zip(straight, resumed, strict=True):
        assert (first.seen, first.best, first.text) == (other.seen, other.best, other.text)


class Unwritable(Counting):
    """A callback whose state no manifest can store."""

    def state_dict(self) -> Mapping[str, Any]:
        """An object."""
        return {"model": object()}


def test_a_state_that_cannot_be_stored(tmp_path: Path) -> None:
    """A state that cannot be stored is warned of, and the model is saved."""
    with pytest.warns(UserWarning, match="The state of the callback Unwritable is not saved"):
        fit(model(), Unwritable(), ModelCheckpoint(tmp_path / "m.keras"), epochs=1)
    assert names(tmp_path) == ["m.keras"]


def test_states_of_generators_are_stored_for_the_newest(tmp_path: Path) -> None:
    """A manifest of a long training does not grow by some kB an epoch."""
    with warnings.catch_warnings():
        fit(model(), ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True), epochs=10)
    assert [bool(entry.generators) for entry in saved_in(tmp_path)] == [False] * 2 + [True] * 8
