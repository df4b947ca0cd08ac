"""Arguments that nobody writes, and inputs that do not fit: our answer is that of live Keras."""

import warnings
from itertools import product
from typing import Any

import pytest

from ckpttool.model.buildability import buildability_of_json

CELLS = [{"module": "keras.layers", "class_name": name, "config": {"units": 2}} for name in ("GRUCell", "LSTMCell")]
SHAPES = ([6, 4], [6, 6, 4], [6, 6, 6, 4], [None, 4], [6, None])
ADAPTIVE = [f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in (1, 2)]
CASES: list[tuple[str, dict[str, Any]]] = [
    *(("Reshape", {"target_shape": value}) for value in ("count", [[1, 2]], [1.5, 2], [True, -1], ["a", -1, -1], {})),
    *(("Reshape", {"target_shape": value}) for value in ([-2, 3], [0], [None, -1], [1.0, -1])),
    *((f"ZeroPadding{rank}D", {"padding": value}) for rank in (1, 2, 3) for value in (-1, -3, -4, [-1] * rank)),
    *(("Conv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": value}) for value in ([0.1, 0.2], [9.5, 1])),
    *(("ConvLSTM1D", {"filters": 2, "kernel_size": 2, "dilation_rate": value}) for value in ([0.1], [1.9], [6.5])),
    *(("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "dilation_rate": value}) for value in ([0.5], [2])),
    *((name, {"output_size": value}) for name in ADAPTIVE for value in ([[1], 1], [[1]], [2.5, 1], 2)),
    *(("SpectralNormalization", {"layer": cell}) for cell in CELLS),
    *(("Normalization", {"axis": axis, "mean": 1.0, "variance": 2.0}) for axis in (-1, [1, -1], 1, None, 5)),
    *(
        ("EinsumDense", {"equation": equation, "output_shape": shape, "lora_rank": rank})
        for equation, shape in (("ab,bc->ac", 3), ("abc,cd->abd", [6, 3]), ("abc,cd->abd", [None, 3]))
        for rank in (None, [1], "a", 2)
    ),
]  # fmt: skip


def sequential(class_name: str, config: dict[str, Any], shape: list[int | None]) -> dict[str, Any]:
    """A model of one layer on an input of this shape."""
    start = {"class_name": "InputLayer", "config": {"batch_shape": [None, *shape], "dtype": "float32", "name": "x"}}
    entry = {"class_name": class_name, "config": {"name": "it", **config}}
    layers = [{"module": "keras.layers", "registered_name": None, **layer} for layer in (start, entry)]
    config = {"name": "model", "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


@pytest.mark.filterwarnings("ignore")
def test_strange_values() -> None:
    """Each value on inputs of several shapes: refused where Keras refuses it, and nowhere else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", minversion="3.15", reason="the oracle is Keras 3.15 itself")
        from tests.model.buildability.live_answers import ask
    wrong = []
    for (class_name, arguments), shape in product(CASES, SHAPES):
        config = sequential(class_name, arguments, shape)
        building, _ = ask("json", config, None)
        answer = buildability_of_json(config)
        if answer.builds != (not building):
            wrong.append(f"{class_name} {arguments} on {shape}: Keras: {building or 'builds'}; ours: {answer}"[:500])
    assert not wrong, f"{len(wrong)}: {wrong[:3]}"
