"""Kills a training with two callbacks, the best and the last, again and again at random moments, until it has ended.

    python -m tests.callbacks.killed_training [--kills 60] [--units 2900] [--seconds 3] [--seed 0]

Every process goes on in the directories that the one before it left; a training that has ended begins anew. Prints a
JSON object: `kills`; `damaged`, files called complete that are not; `lost`, kills after which an older file than before
is the newest, or none; `ends`, trainings that have ended; `unlike`, those that have not ended as one that is never
killed, to the bit. Linux only.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ckpttool.callbacks import ModelCheckpoint, saved_in
from ckpttool.manifest import damage

EPOCHS, BATCHES = 4, 5


class ReportsSteps(keras.callbacks.Callback):
    """Tells that a training has begun."""

    def __init__(self, writer: int) -> None:
        super().__init__()
        self._writer = writer

    def on_train_begin(self, logs: Any = None) -> None:
        """Tells."""
        os.write(self._writer, b".")


def train(directory: Path, units: int, writer: int) -> dict[str, Any]:
    """Trains to the end; gives a digest of all that was trained, and the logs of the last epoch."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(units, activation="tanh"), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((units,)), *layers])
    model.compile("adam", "mse", run_eagerly=True)
    x = np.random.default_rng(0).random((8 * BATCHES, units), "float32")
    best = ModelCheckpoint(directory / "best.keras", monitor="loss", save_best_only=True, resume=True)
    last = ModelCheckpoint(directory / "last.weights.h5", save_weights_only=True, save_freq=2, resume=True)
    callbacks = [best, last, ReportsSteps(writer)]
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0, "callbacks": callbacks}
    history = model.fit(x, x.mean(axis=1), epochs=EPOCHS, **arguments).history
    variables = (*model.variables, *model.optimizer.variables)
    digest = hashlib.sha256(b"".join(np.asarray(each.numpy()).tobytes() for each in variables))
    return {"digest": digest.hexdigest(), "logs": {name: values[-1:] for name, values in history.items()}}


def child(directory: Path, units: int, writer: int) -> None:
    """Trains in a process of its own, and writes down how it has ended."""
    code = 1
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            end = train(directory, units, writer)
        (directory / "end").write_text(json.dumps(end))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def run(directory: Path, units: int, seconds: float | None) -> int:
    """Runs a child and kills it so many seconds after it has begun to train; its exit code, below zero if killed."""
    reader, writer = os.pipe()
    number = os.fork()
    if number == 0:
        child(directory, units, writer)
    os.close(writer)
    os.read(reader, 1)
    if seconds is not None:
        time.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    os.close(reader)
    return os.waitstatus_to_exitcode(status)


def ended_alike(directory: Path, other: Path) -> bool:
    """Whether two trainings have ended alike; one that was killed behind its last epoch has no logs any more."""
    straight, killed = (json.loads((each / "end").read_text()) for each in (directory, other))
    return killed["digest"] == straight["digest"] and killed["logs"] in (straight["logs"], {})


def steps(directory: Path) -> int:
    """The steps of the newest whole checkpoint."""
    return max((entry.step for entry in saved_in(directory) if not damage(directory, entry, thorough=True)), default=0)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--units", type=int, default=2900)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a child trains at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, counts = random.Random(options.seed), dict.fromkeys(("kills", "damaged", "lost", "ends", "unlike"), 0)
    with tempfile.TemporaryDirectory() as place:
        straight, directory, before = Path(place, "straight"), Path(place, "killed"), 0
        assert run(straight, options.units, None) == 0
        while counts["kills"] < options.kills or before:
            is_last = counts["kills"] >= options.kills
            code = run(directory, options.units, None if is_last else rng.uniform(0, options.seconds))
            assert code in (0, -signal.SIGKILL)
            counts["kills"] += code != 0
            entries = saved_in(directory)
            counts["damaged"] += sum(bool(damage(directory, entry, thorough=True)) for entry in entries)
            now = steps(directory)
            counts["lost"] += now < before
            before = now
            if code == 0:
                counts["ends"] += 1
                counts["unlike"] += not ended_alike(straight, directory)
                counts["bytes"] = max(path.stat().st_size for path in directory.iterdir())
                shutil.rmtree(directory)
                before = 0
            print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
