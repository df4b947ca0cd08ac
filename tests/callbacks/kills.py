"""Kills a process that saves checkpoints, again and again at random moments, and looks at what is left.

    python -m tests.callbacks.kills [--kills 200] [--suffix .keras] [--peer] [--units 64] [--seed 0]

One process imports Keras and makes a model; for every kill it forks a child that saves as fast as it can and is ended
by SIGKILL. `--peer` has Keras's own callback save in its place, over one file, as people use it. Prints a JSON object
for each format, with and without a background thread: `kills`; `damaged`, files called complete that are not; `lost`,
kills after which no good file was there; `saves`; `left`, what else lies in the directory when all is over.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import ckpttool
from ckpttool.callbacks import ModelCheckpoint, saved_in
from ckpttool.errors import CheckpointError
from ckpttool.manifest import NAME, Saved, damage

WEIGHTS_ONLY = {".weights.h5": True, ".keras": False, ".h5": False}


def model_of_units(units: int) -> Any:
    """A compiled model, built with its optimizer."""
    model = keras.Sequential([keras.Input((units,)), keras.layers.Dense(units), keras.layers.Dense(units)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@dataclass(frozen=True)
class Case:
    """The callback that is killed: ours or Keras's, in one format, in the background or not."""

    suffix: str
    background: bool
    peer: bool


def saving(model: Any, directory: Path, options: Case) -> Any:
    """The callback that is killed."""
    weights_only = WEIGHTS_ONLY[options.suffix]
    if options.peer:
        callback = keras.callbacks.ModelCheckpoint(directory / f"m{options.suffix}", save_weights_only=weights_only)
    else:
        callback = ModelCheckpoint(
            directory / f"m{{epoch:06d}}{options.suffix}",
            save_weights_only=weights_only,
            keep_last=2,
            background=options.background,
        )
    callback.set_model(model)
    return callback


def save_for_ever(model: Any, directory: Path, options: Case, first: int, saved: Callable[[], object]) -> None:
    """Saves epoch after epoch; all weights of an epoch are its number. Tells of each epoch that is over."""
    callback, epoch = saving(model, directory, options), first
    callback.on_train_begin()
    while True:
        for variable in model.trainable_variables:
            variable._value.assign(np.full(variable.shape, epoch, "float32"))
        callback.on_epoch_begin(epoch)
        callback.on_train_batch_end(0, {"loss": 1.0})
        callback.on_epoch_end(epoch, {"loss": 1.0})
        saved()
        epoch += 1


def is_whole(path: Path) -> bool:
    """Whether a file opens, and all its weights are of one epoch."""
    try:
        with ckpttool.open(path) as checkpoint:
            checkpoint.require_intact()
            weights = checkpoint.section(ckpttool.Section.MODEL)
            values = {float(value) for weight in weights for value in np.unique(weight.read())}
    except CheckpointError:
        return False
    return len(values) == 1


def complete(directory: Path, options: Case) -> list[Saved | Path]:
    """The checkpoints that are said to be good: by the manifest, or, of Keras, the one file once it exists."""
    if not options.peer:
        return list(saved_in(directory))
    return list(directory.glob(f"m{options.suffix}"))


def whole(directory: Path, saved: Saved | Path) -> bool:
    """Whether a checkpoint that is said to be good is."""
    if isinstance(saved, Path):
        return is_whole(saved)
    return not damage(directory, saved, thorough=True) and is_whole(directory / saved.file)


def killed(model: Any, directory: Path, options: Case, seconds: float, first: int) -> None:
    """Runs a child and kills it so many seconds after it has ended its first epoch."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            save_for_ever(model, directory, options, first, lambda: os.write(writer, b"."))
        finally:
            os._exit(3)
    os.close(writer)
    os.read(reader, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(reader)
    assert os.WIFSIGNALED(status), f"the child ended by itself, with {os.waitstatus_to_exitcode(status)}"


def run(model: Any, case: Case, directory: Path, waits: list[float]) -> dict[str, Any]:
    """The counts over all kills. Every child continues in the directory that the one before it left."""
    damaged = lost = 0
    newest: set[str] = set()
    for number, seconds in enumerate(waits):
        killed(model, directory, case, seconds, number * 10_000)
        saved_files = complete(directory, case)
        bad = [saved for saved in saved_files if not whole(directory, saved)]
        damaged += len(bad)
        newest |= {str(saved) if isinstance(saved, Path) else saved.file for saved in saved_files}
        lost += bool(newest) and len(bad) == len(saved_files)
    left = set() if case.peer else leavings(model, case, directory)
    return {"kills": len(waits), "damaged": damaged, "lost": lost, "saves": len(newest), "left": sorted(left)}


def leavings(model: Any, case: Case, directory: Path) -> set[str]:
    """The names that a new run does not clean up, but for empty directories so young that they may be in use."""
    beginning = saving(model, directory, case)
    beginning.on_train_begin()
    beginning.on_train_end()
    known = {NAME, *(entry.file for entry in saved_in(directory))}
    return {p.name for p in directory.iterdir() if p.name not in known and not (p.is_dir() and not any(p.iterdir()))}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suffix", choices=WEIGHTS_ONLY, action="append")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.2, help="how long a child saves on at most")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer", action="store_true")
    options = parser.parse_args()
    model, rng = model_of_units(options.units), random.Random(options.seed)
    for suffix in options.suffix or WEIGHTS_ONLY:
        for background in (False,) if options.peer else (False, True):
            case = Case(suffix, background, options.peer)
            waits = [rng.uniform(0, options.seconds) for _ in range(options.kills)]
            with tempfile.TemporaryDirectory() as place:
                print(json.dumps({**asdict(case), **run(model, case, Path(place), waits)}), flush=True)


if __name__ == "__main__":
    main()
