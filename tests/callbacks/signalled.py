"""Trainings that get a signal, each in a process of its own: `python -m tests.callbacks.signalled DIRECTORY`.

`term` and `int` send themselves that signal in the second epoch; `hangs` gets SIGTERM in a batch that never ends;
`twice` gets SIGINT twice in such a batch. Each saves into the directory of its name, and writes its errors beside it.
The process that has imported Keras forks before it calls anything of it; it writes the exit codes of all as JSON.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import keras

from ckpttool.callbacks import ModelCheckpoint
from tests.callbacks.training import fit, model

SIGNALS = {"term": signal.SIGTERM, "int": signal.SIGINT, "hangs": signal.SIGTERM, "twice": signal.SIGINT}


class Signals(keras.callbacks.Callback):
    """Sends the signal."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending, self.epoch = ending, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sends, and hangs."""
        if (self.epoch, batch) != (1, 2):
            return
        os.kill(os.getpid(), SIGNALS[self.ending])
        if self.ending == "twice":
            os.kill(os.getpid(), SIGNALS[self.ending])
        if self.ending in ("hangs", "twice"):
            time.sleep(120)


def train(directory: Path, ending: str) -> None:
    """Trains."""
    deadline = 0.5 if ending == "hangs" else 60.0
    saving = ModelCheckpoint(directory / "{epoch}.keras", save_on_signal=True, deadline=deadline)
    fit(model(), Signals(ending), saving, epochs=100_000)


def main(directory: Path) -> None:
    """Forks once for each ending; a child trains, and ends as the interpreter ends it."""
    numbers = {}
    for ending in SIGNALS:
        numbers[ending] = os.fork()
        if numbers[ending] == 0:
            os.dup2(os.open(directory / f"{ending}.txt", os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
            train(directory / ending, ending)
            return
    codes = {ending: os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for ending, number in numbers.items()}
    (directory / "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
