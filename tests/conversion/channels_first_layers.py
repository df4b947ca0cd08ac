"""Live Keras runs one layer of `channels_first` after another, in a process that the next one takes the place of where
it dies.

As a process, `python -m tests.conversion.channels_first_layers`, it writes a JSON object of the layers, as they are in
`CASES`, and whether each predicts. With oneDNN or without: TensorFlow reads `TF_ENABLE_ONEDNN_OPTS`.
"""

import json
import os
import signal
from typing import Any

import numpy as np

SIZES: dict[int, tuple[int, ...]] = {1: (4, 9), 2: (4, 9, 9), 3: (4, 7, 7, 7)}
SECONDS = 60
_WINDOW = {"kernel_size": 3}
_FILTERS = {"kernel_size": 3, "filters": 4}


def cases() -> dict[str, tuple[str, dict[str, Any], int]]:
    """The layers by their keys: class, arguments, and number of spatial axes."""
    layers: list[tuple[str, dict[str, Any], int]] = []
    for rank in SIZES:
        layers += [
            (f"Conv{rank}D{kind}", _FILTERS | more, rank) for kind in ("", "Transpose") for more in ({}, {"strides": 2})
        ]
        layers += [(f"Conv{rank}D", {**_FILTERS, "groups": 2}, rank), (f"ConvLSTM{rank}D", _FILTERS, rank)]
        layers += [(f"{kind}Pooling{rank}D", {"pool_size": 2}, rank) for kind in ("Max", "Average")]
        layers += [(f"Global{kind}Pooling{rank}D", {}, rank) for kind in ("Max", "Average")]
        layers.append(("BatchNormalization", {"axis": 1}, rank))
    for rank in (1, 2):
        layers += [(f"DepthwiseConv{rank}D", _WINDOW, rank), (f"SeparableConv{rank}D", _FILTERS, rank)]
    layers += [("Conv2D", {**_FILTERS, "dilation_rate": 2}, 2), ("Conv1D", {**_FILTERS, "padding": "same"}, 1)]
    layers += [(f"{kind}2D", {}, 2) for kind in ("UpSampling", "ZeroPadding", "Cropping")]
    return {f"{name} {arguments} of {rank}": (name, arguments, rank) for name, arguments, rank in layers}


CASES = cases()


def config_of(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with the data format, for layers that take one."""
    return arguments if name == "BatchNormalization" else {**arguments, "data_format": "channels_first"}


def predicts(name: str, arguments: dict[str, Any], rank: int) -> bool:
    """Whether a layer predicts from random numbers."""
    import keras

    shape = (2, *SIZES[rank]) if name.startswith("ConvLSTM") else SIZES[rank]
    layer = getattr(keras.layers, name)(**config_of(name, arguments))
    model = keras.Sequential([keras.Input(shape), layer])
    try:
        model.predict_on_batch(np.ones((2, *shape), "float32"))  # the graph that predict runs, without its queue
    except Exception:
        return False
    return True


def answered(cases: list[tuple[str, dict[str, Any], int]]) -> list[bool]:
    """Whether each of the layers predicts. One in which the process dies does not, nor one that takes a minute."""
    answers: list[bool] = []
    while len(answers) < len(cases):
        rest = cases[len(answers) :]
        reached = in_process(rest)
        answers += reached if len(reached) == len(rest) else [*reached, False]
    return answers


def in_process(cases: list[tuple[str, dict[str, Any], int]]) -> list[bool]:
    """Whether each of the layers predicts, as far as a process of their own gets, which has a minute for each."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        for case in cases:
            signal.alarm(SECONDS)
            os.write(writing, b"1" if predicts(*case) else b"0")
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        written = pipe.read()
    os.waitpid(process, 0)
    return [answer == ord("1") for answer in written]


def main() -> None:
    """Write the answers."""
    import keras

    assert keras.__version__  # imported once, before the processes
    answers = dict(zip(CASES, answered(list(CASES.values())), strict=True))
    os.write(1, json.dumps(answers).encode())


if __name__ == "__main__":
    main()
