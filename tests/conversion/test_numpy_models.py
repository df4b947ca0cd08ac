"""Models of genuine Keras 1 and 2, converted: NumPy computes from the new file what old Keras predicted, so that a run
without Keras 3 judges by numbers, too."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from ckpttool.conversion import convert
from tests.conversion import test_old_layers, test_removed_layers
from tests.conversion.judge import numbered
from tests.conversion.numpy_model import NumpyModel
from tests.corpus import FIELD, needs_field
from tests.field.test_holders import AS_LSTM, CUDNN, parallel
from tests.speeds import is_full, one_of_each

# Masks and rarer layers are left to Keras itself.
REMOVED = [case for case in test_removed_layers.CASES if not case[1].startswith("mask")]
RARE = """
    atrous conv1d conv2d_th conv_lstm elu hard_sigmoid_rnn masking maxout pooling prelu relu_options repeat_permute
    softmax_axis thresholded_relu
""".split()
OLD = [path for path in test_old_layers.CASES if path.stem not in RARE]


def kinds(case: tuple[str, str]) -> list[object]:
    """The kinds of a case: its layer by this writer, and with each two of its settings by any."""
    writer, name = case
    layer, *settings = name.split("_")
    pairs = itertools.combinations(settings, 2) if len(settings) > 1 else [settings]
    return [(writer, layer), *((layer, *pair) for pair in pairs)]


@pytest.mark.parametrize(("writer", "name"), REMOVED if is_full() else one_of_each(REMOVED[::-1], kinds))
def test_layers_that_keras_3_has_no_more(writer: str, name: str, tmp_path: Path) -> None:
    """Merges, activations with weights, locally connected layers, of Keras 1.2.2, 2.2.4 and 2.15."""
    convert(test_removed_layers.unpacked(writer, name, tmp_path), tmp_path / "new.keras")
    with np.load(test_removed_layers.FOLDER / f"{writer}.npz") as arrays:
        own = {key.rpartition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
    outputs = NumpyModel(tmp_path / "new.keras")(numbered(own, "x"))
    assert outputs.shape == own["y0"].shape
    np.testing.assert_allclose(outputs, own["y0"], rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("path", OLD, ids=test_old_layers.names)
def test_layers_of_old(path: Path, tmp_path: Path) -> None:
    """Converted old models, those of cuDNN among them, predict in NumPy what old Keras did."""
    convert(path, tmp_path / "new.keras")
    recorded = json.loads((path.parent / "predicted.json").read_text())[path.stem]
    outputs = NumpyModel(tmp_path / "new.keras")([np.asarray(x, "float32") for x in recorded["inputs"]])
    np.testing.assert_allclose(outputs, recorded["output"], rtol=2e-5, atol=2e-6)


@needs_field
def test_weights_for_cudnn(tmp_path: Path) -> None:
    """In Bidirectional, TimeDistributed and a nested model, for an architecture with layers for any device."""
    convert(FIELD / "c03_cudnn_weights.h5", tmp_path / "new.keras", arch=FIELD / "c03_plain.json")
    np.testing.assert_allclose(NumpyModel(tmp_path / "new.keras")([CUDNN])[:1], AS_LSTM, atol=1e-6)


@needs_field
@pytest.mark.parametrize("is_whole", [False, True])
def test_a_parallel_model(is_whole: bool, tmp_path: Path) -> None:
    """The one model within it, of a whole file and of weights alone."""
    if is_whole:
        convert(parallel(tmp_path / "old.h5"), tmp_path / "new.keras")
    else:
        convert(FIELD / "c02_multi_gpu_weights.h5", tmp_path / "new.keras", arch=FIELD / "c02_single.json")
    with np.load(FIELD / "c02_multi_gpu.npz") as truth:
        np.testing.assert_allclose(NumpyModel(tmp_path / "new.keras")([truth["x0"]]), truth["y0"], atol=1e-6)
