"""Measures how long a save holds up training, and its memory, beside Keras's callbacks: ModelCheckpoint, and with
orbax-checkpoint installed OrbaxCheckpoint too, which writes a directory whatever the suffix.

    python -m tests.benchmarks.saves [--megabytes 200] [--runs 7] [--suffix .keras] [--directory DIRECTORY]

All callbacks save the same model in one process, in turn (A B C A B C ...), after one save of each that does not count;
what goes on in the background has ended before the next begins. Seconds are medians of what `on_epoch_end` took,
ratios medians over the rounds; memory is the most that was in use above what was before, in the medians, on Linux.
Exit code 1 says that a target was missed.
"""

import argparse
import contextlib
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
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
    model = keras.Sequential([keras.Input((_KERNEL,)), *(keras.layers.Dense(_KERNEL) for _ in range(layers))])
    model.compile("sgd", keras.losses.MeanSquaredError())
    model.optimizer.build(model.trainable_variables)
    return model


def callbacks(directory: Path, suffix: str) -> Mapping[str, Any]:
    """The callbacks that are compared: Keras's, and ours without verification, with it, and in the background."""
    settings: dict[str, Any] = {"save_weights_only": suffix == ".weights.h5"}
    return {
        "Keras": keras.callbacks.ModelCheckpoint(directory / f"keras{suffix}", **settings),
        "unverified": ModelCheckpoint(directory / f"unverified{suffix}", verify=False, **settings),
        "verified": ModelCheckpoint(directory / f"verified{suffix}", **settings),
        "background": ModelCheckpoint(directory / f"background{suffix}", background=True, **settings),
        **orbax(directory),
    }


def orbax(directory: Path) -> Mapping[str, Any]:
    """Keras's callback that has Orbax save, at once and in the background; nothing where that is not installed."""
    if importlib.util.find_spec("orbax") is None:
        return {}
    kind = keras.callbacks.OrbaxCheckpoint
    settings = {"save_weights_only": True, "monitor": "loss"}
    return {
        "Orbax": kind(directory / "orbax", save_on_background=False, **settings),
        "Orbax beside": kind(directory / "orbax-beside", **settings),
    }


def memory(field: str) -> int:
    """A figure of the memory of this process from the system, in kB; 0 where it has none."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)


def forget_peak() -> None:
    """Has the system count the peak of memory anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@dataclass(frozen=True)
class Cost:
    """The cost of one save: the seconds that training waited, and the MB above what was in use."""

    seconds: float
    megabytes: float


def cost(callback: Any, epoch: int) -> Cost:
    """The cost of the end of an epoch; waits for what goes on beside it, whose time does not count."""
    callback.on_epoch_begin(epoch)
    forget_peak()
    before, begun = memory("VmRSS"), time.perf_counter()
    callback.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0})
    seconds = time.perf_counter() - begun
    if isinstance(callback, ModelCheckpoint):
        callback._worker.wait()
    elif hasattr(callback, "wait_until_finished"):
        callback.wait_until_finished()
    return Cost(seconds, (memory("VmHWM") - before) / 1000)


def measured(trained: Any, directory: Path, suffix: str, runs: int) -> Mapping[str, list[Cost]]:
    """The cost of every callback in every round."""
    compared = callbacks(directory, suffix)
    for callback in compared.values():
        callback.set_model(trained)
        callback.on_train_begin()
        callback.on_train_batch_end(0, {"loss": 1.0})
        cost(callback, 0)
    rounds = [{name: cost(each, epoch) for name, each in compared.items()} for epoch in range(1, runs + 1)]
    for callback in compared.values():
        callback.on_train_end()
    return {name: [costs[name] for costs in rounds] for name in compared}


def main() -> int:
    """Measures and prints; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--suffix", choices=SUFFIXES, action="append")
    parser.add_argument("--directory", help="where to save [a temporary directory]")
    options = parser.parse_args()
    trained, missed = model(options.megabytes), 0
    print(f"a model of {trained.count_params() * 4 / 1e6:.0f} MB\n\n{'':<28}seconds  of Keras's    MB more")
    for suffix in options.suffix or SUFFIXES:
        with tempfile.TemporaryDirectory(dir=options.directory) as place:
            costs_by_name = measured(trained, Path(place), suffix, options.runs)
        for name, costs in costs_by_name.items():
            pairs = zip(costs, costs_by_name["Keras"], strict=True)
            ratio = statistics.median(ours.seconds / keras.seconds for ours, keras in pairs)
            seconds, more = (
                statistics.median(getattr(each, unit) for each in costs) for unit in ("seconds", "megabytes")
            )
            over = ratio > LIMITS.get(name, ratio)
            missed += over
            remark = f"MISSED, at most {LIMITS[name]}" if over else ""
            print(f"{suffix:<13}{name:<15}{seconds:7.3f}  {ratio:10.2f}  {more:9.0f}  {remark}".rstrip(), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
