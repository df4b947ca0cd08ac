"""Signals are held back until the model is saved, and then do what they would have done."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from ckpttool.callbacks import ModelCheckpoint, saved_in
from tests.callbacks.training import fit, model, names

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX"),
]


@pytest.fixture
def arrived() -> Iterator[list[int]]:
    """The signals that came to the handlers which were there before, and which are there again at the end."""
    received: list[int] = []

    def handler(number: int, _frame: Any) -> None:
        received.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield received
    now = {number: signal.signal(number, earlier) for number, earlier in before.items()}
    assert set(now.values()) == {handler}


class Sends(keras.callbacks.Callback):
    """Sends signals at batches, counted over the whole training; notes where each batch ends."""

    def __init__(self, at: dict[int, signal.Signals], arrived: list[int]) -> None:
        super().__init__()
        self.at, self.arrived, self.batches, self.seen = at, arrived, 0, list[int]()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sends."""
        if self.batches in self.at:
            signal.raise_signal(self.at[self.batches])
        self.batches += 1
        self.seen.append(len(self.arrived))


@pytest.mark.parametrize("background", [False, True])
def test_an_earlier_handler(background: bool, arrived: list[int], tmp_path: Path) -> None:
    """An earlier handler is called once the model is saved; if it lets training continue, the next signal waits too."""
    sends = Sends({2: signal.SIGTERM, 6: signal.SIGINT}, arrived)
    saving = ModelCheckpoint(tmp_path / "{epoch}.keras", save_on_signal=True, background=background)
    fit(model(), sends, saving, epochs=3)
    assert arrived == [signal.SIGTERM, signal.SIGINT]
    assert sends.seen == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2]  # not before the end of the batch it came in
    entries = [(entry.reason, entry.epoch, entry.batch, entry.step) for entry in saved_in(tmp_path)]
    assert entries == [
        ("epoch", 1, None, 4),
        ("signal", 2, 3, 7),  # of the same name as the one in the first epoch, whose place it has taken
        ("epoch", 2, None, 8),
        ("epoch", 3, None, 12),
    ]


def test_what_was_just_saved(arrived: list[int], tmp_path: Path) -> None:
    """Is not saved once more."""
    sends = Sends({3: signal.SIGTERM}, arrived)
    fit(model(), sends, ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_on_signal=True, save_freq=4), epochs=1)
    assert arrived == [signal.SIGTERM]
    assert names(tmp_path) == ["1-4.keras"]


def test_in_validation(arrived: list[int], tmp_path: Path) -> None:
    """The model is saved in the middle of a validation."""

    class InValidation(keras.callbacks.Callback):
        def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 1 and not arrived:
                signal.raise_signal(signal.SIGTERM)

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(len(arrived))

    seen: list[int] = []
    saving = ModelCheckpoint(tmp_path / "{epoch}.keras", save_on_signal=True)
    fit(model(), saving, InValidation(), epochs=1)
    assert arrived == [signal.SIGTERM]
    assert seen[1] == 1
    assert [(entry.reason, entry.step) for entry in saved_in(tmp_path)] == [("signal", 4), ("epoch", 4)]


def test_without_it_nothing_is_delayed(arrived: list[int], tmp_path: Path) -> None:
    """Signals act as they always do."""
    sends = Sends({2: signal.SIGTERM}, arrived)
    fit(model(), sends, ModelCheckpoint(tmp_path / "{epoch}.keras"), epochs=1)
    assert sends.seen == [0, 0, 1, 1]
    assert names(tmp_path) == ["1.keras"]


def test_outside_the_main_thread(tmp_path: Path) -> None:
    """There signals cannot be held back, which is said; everything else works."""
    warned: list[str] = []

    def train() -> None:
        with pytest.warns(UserWarning, match="main thread"):
            fit(model(), ModelCheckpoint(tmp_path / "{epoch}.keras", save_on_signal=True), epochs=1)
        warned.append("yes")

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert warned == ["yes"]
    assert names(tmp_path) == ["1.keras"]


ENDS = {"term": -signal.SIGTERM, "int": -signal.SIGINT, "hangs": -signal.SIGTERM, "twice": -signal.SIGINT}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Processes that get signals, all at once: their directories, exit codes and what they said."""
    place = tmp_path_factory.mktemp("signals")
    root, env = Path(__file__).parents[2], {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.callbacks.signalled", str(place)]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    codes = json.loads((place / "codes.json").read_text())
    return {ending: (place / ending, code, (place / f"{ending}.txt").read_text()) for ending, code in codes.items()}


@pytest.mark.parametrize("ending", ENDS)
def test_a_process_ends_as_it_would_have(ending: str, processes: Any) -> None:
    """By the signal itself; saved before, unless no batch ended in time or the signal came twice."""
    place, code, output = processes[ending]
    assert code == ENDS[ending], output
    if ending in ("int", "twice"):
        assert "KeyboardInterrupt" in output
    reasons = [(entry.reason, entry.epoch, entry.batch) for entry in saved_in(place)]
    expected = [("epoch", 1, None), ("signal", 2, 3)]
    assert reasons == (expected if ending in ("term", "int") else expected[:1])
    assert not [name for name in names(place) if name.startswith(".")]
