"""A training that gets a signal, in a process of its own: `python -m tests.callbacks.signalled DIRECTORY WHAT`.

WHAT is `term` or `int`: sends itself that signal in the second epoch; `hangs`: gets SIGTERM in a batch that never ends;
`twice`: gets SIGINT twice in such a batch.
"""

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


def main(directory: str, ending: str) -> None:
    """Trains."""
    deadline = 0.5 if ending == "hangs" else 60.0
    saving = ModelCheckpoint(Path(directory) / "{epoch}.keras", save_on_signal=True, deadline=deadline)
    fit(model(), Signals(ending), saving, epochs=100_000)


if __name__ == "__main__":
    main(*sys.argv[1:])
