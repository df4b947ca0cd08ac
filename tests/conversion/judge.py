"""The distance of a converted file's predictions from those of old Keras, measured by live Keras 3.

As a process, `python -m tests.conversion.judge`, it reads jobs and writes verdicts, one JSON object a line.
"""

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


class Verdict(TypedDict, total=False):
    """The largest differences of the predictions, of those after one step of training, and what went wrong.

    `relative` is by the largest number of an output. `step` is None where there was no step to repeat.
    """

    absolute: float
    relative: float
    step: float | None
    compiled: bool
    error: str


def judged(file: str | Path, record: str | Path, inputs: list[str] | None, step: bool = False) -> Verdict:
    """The verdict on a converted file: `record` is the .npz of inputs and outputs, `inputs` the keys where the model
    takes a dict; `step` asks for the step of training that was recorded, too."""
    keras = pytest.importorskip("keras", minversion="3.15", reason="live Keras 3.15 is the judge")

    keras.utils.clear_session(free_memory=False)  # garbage is searched for in all that was imported
    model = keras.saving.load_model(file, safe_mode=True)
    with np.load(record) as arrays:
        feed = of_inputs(numbered(arrays, "x"), inputs, model)
        outputs = predicted(model, feed)
        absolute, relative = differences(outputs, numbered(arrays, "y"))
        verdict = Verdict(absolute=absolute, relative=relative, step=None, compiled=bool(model.compiled))
        if step and model.compiled:
            verdict["step"] = stepped(model, feed, arrays)
    return verdict


def numbered(arrays: Any, letter: str) -> list[np.ndarray]:
    """The arrays of one letter, in the order of their numbers."""
    return [arrays[key] for key in sorted((key for key in arrays if key[0] == letter), key=lambda key: int(key[1:]))]


def measured(model: Any, inputs: np.ndarray, targets: np.ndarray) -> list[float]:
    """The loss of a model for a batch, and its metrics."""
    model.run_eagerly = True
    return [float(value) for value in np.ravel(model.test_on_batch(inputs, targets))]


def of_inputs(arrays: list[np.ndarray], names: list[str] | None, model: Any) -> Any:
    """The inputs in the form that the model takes: a dict, a list, or one tensor."""
    import tensorflow as tf

    read = [tf.constant(array.astype(object)) if array.dtype.kind == "U" else array for array in arrays]
    if names is not None:
        return dict(zip(names, read, strict=True))
    return read if isinstance(getattr(model, "_inputs_struct", None), list) or len(read) > 1 else read[0]


def predicted(model: Any, feed: Any) -> list[np.ndarray]:
    """The outputs, flat. One batch needs no queue, for which `predict` traces more graphs than that of the model."""
    return list(flat(model.predict_on_batch(feed)))


def flat(value: Any) -> Iterator[np.ndarray]:
    """The arrays in nested outputs, the keys of objects sorted; `keras.tree` is younger than Keras 3.0."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    else:
        yield np.asarray(value)


def differences(outputs: list[np.ndarray], wanted: list[np.ndarray]) -> tuple[float, float]:
    """The largest absolute difference, and the largest by the largest number of its output. Raises ValueError where
    the shapes are others."""
    if [array.shape for array in outputs] != [array.shape for array in wanted]:
        raise ValueError(f"outputs of {[array.shape for array in outputs]}, not {[array.shape for array in wanted]}")
    pairs = [(one.astype("float64"), other.astype("float64")) for one, other in zip(outputs, wanted, strict=True)]
    absolute = [float(np.abs(one - other).max(initial=0.0)) for one, other in pairs]
    largest = [max(float(np.abs(other).max(initial=0.0)), 1e-6) for _, other in pairs]
    return max(absolute), max(difference / of for difference, of in zip(absolute, largest, strict=True))


def stepped(model: Any, feed: Any, arrays: Any) -> float:
    """The largest relative difference after one step of training, by how far the step goes."""
    targets = numbered(arrays, "t")
    struct = getattr(model, "_outputs_struct", None)
    named = dict(zip(sorted(struct), targets, strict=True)) if isinstance(struct, dict) else targets
    model.run_eagerly = True  # a graph of one step takes longer to trace than to run
    model.train_on_batch(feed, named if len(targets) > 1 else targets[0])
    model.run_eagerly = False
    moved = [np.abs(z - y).max() for z, y in zip(numbered(arrays, "z"), numbered(arrays, "y"), strict=True)]
    return differences(predicted(model, feed), numbered(arrays, "z"))[0] / max(float(max(moved)), 1e-6)


def main() -> None:
    """Answers each job, an object of the arguments of `judged`, with its verdict."""
    warnings.filterwarnings("ignore")
    for line in sys.stdin:
        try:
            verdict = judged(**json.loads(line))
        except Exception as error:
            verdict = Verdict(error=f"{type(error).__name__}: {error}")
        sys.stdout.write(json.dumps(verdict) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
