"""Measures how long a save holds up training, with `ckpttool.callbacks.ModelCheckpoint` and with that of Keras.

    python -m tests.benchmarks.saving [--megabytes 200] [--runs 7] [--suffix .keras] [--directory DIRECTORY]

All callbacks save the same model in one process, in turn (A B C A B C ...), after one save of each that does not count;
what goes on in the background has ended before the next begins. Seconds are medians of what `on_epoch_end` took,
ratios medians over the rounds. Exit code 1 says that a target was missed.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from ckpttool.callbacks import ModelCheckpoint

SUFFIXES = (".keras", ".weights.h5", ".h5")
LIMITS = {"verified": 1.5, "background": 0.35}
_KERNEL = 4096  # units of a layer, whose kernel is of 67 MB


def model(megabytes: int) -> Any:
    """A model of so many MB, compiled with an optimizer that keeps no state."""
    layers = max(1, round(megabytes * 1e6 / (4 * _KERNEL * _KERNEL)))
    found = keras.Sequential([keras.Input((_KERNEL,)), *(keras.layers.Dense(_KERNEL) for _ in range(layers))])
    found.compile("sgd", keras.losses.MeanSquaredError())
    found.optimizer.build(found.trainable_variables)
    return found


def callbacks(directory: Path, suffix: str) -> Mapping[str, Any]:
    """What is compared: Keras's callback, and ours without verification, with it, and in the background."""
    given: dict[str, Any] = {"save_weights_only": suffix == ".weights.h5"}
    return {
        "Keras": keras.callbacks.ModelCheckpoint(directory / f"keras{suffix}", **given),
        "unverified": ModelCheckpoint(directory / f"unverified{suffix}", verify=False, **given),
        "verified": ModelCheckpoint(directory / f"verified{suffix}", **given),
        "background": ModelCheckpoint(directory / f"background{suffix}", background=True, **given),
    }


def blocked(callback: Any, epoch: int) -> float:
    """How long the end of an epoch takes, in seconds; waits for what goes on beside it, which does not count."""
    callback.on_epoch_begin(epoch)
    begun = time.perf_counter()
    callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0})
    found = time.perf_counter() - begun
    if isinstance(callback, ModelCheckpoint):
        callback._worker.wait()
    return found


def measured(trained: Any, directory: Path, suffix: str, runs: int) -> Mapping[str, list[float]]:
    """The seconds of every callback in every round."""
    compared = callbacks(directory, suffix)
    for callback in compared.values():
        callback.set_model(trained)
        callback.on_train_begin()
        callback.on_train_batch_end(0, {"loss": 1.0})
        blocked(callback, 0)
    rounds = [{name: blocked(each, epoch) for name, each in compared.items()} for epoch in range(1, runs + 1)]
    for callback in compared.values():
        callback.on_train_end()
    return {name: [one[name] for one in rounds] for name in compared}


def main() -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--suffix", choices=SUFFIXES, action="append")
    parser.add_argument("--directory", help="where to save [a temporary directory]")
    options = parser.parse_args()
    trained, missed = model(options.megabytes), 0
    print(f"a model of {trained.count_params() * 4 / 1e6:.0f} MB\n\n{'':<28}seconds  of Keras's")
    for suffix in options.suffix or SUFFIXES:
        with tempfile.TemporaryDirectory(dir=options.directory) as place:
            found = measured(trained, Path(place), suffix, options.runs)
        for name, seconds in found.items():
            ratio = statistics.median(ours / keras for ours, keras in zip(seconds, found["Keras"], strict=True))
            over = ratio > LIMITS.get(name, ratio)
            missed += over
            told = f"MISSED, at most {LIMITS[name]}" if over else ""
            print(
                f"{suffix:<13}{name:<15}{statistics.median(seconds):7.3f}  {ratio:10.2f}  {told}".rstrip(), flush=True
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
