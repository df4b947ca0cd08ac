"""Names in reports from the field: functions and classes of the author's own, and those of other packages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import Conversion, Options, convert
from tests.corpus import FIELD, needs_field
from tests.live import keras

pytestmark = needs_field


def converted(name: str, tmp_path: Path, **options: Any) -> tuple[Path, Conversion]:
    """The file in the words of Keras 3, and what was done for it."""
    target = tmp_path / "new.keras"
    return target, convert(FIELD / f"{name}.h5", target, options=Options(**options))


def difference(path: Path, name: str, **objects: Any) -> float:
    """The distance of live Keras's predictions from those that the writer recorded."""
    model = keras().saving.load_model(path, custom_objects=objects)
    with np.load(FIELD / f"{name}.npz") as record:
        return float(np.abs(model.predict(record["x0"], verbose=0) - record["y0"]).max())


def gelu(x: Any) -> Any:
    """The author's, the tanh form."""
    return 0.5 * x * (1.0 + keras().ops.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def hard_swish(x: Any) -> Any:
    """The author's, of the hard_sigmoid of Keras 2."""
    return x * keras().ops.clip(0.2 * x + 0.5, 0, 1)


@pytest.mark.parametrize("function", [gelu, hard_swish])
def test_own_functions_before_their_time(function: Any, tmp_path: Path) -> None:
    """The author's own gelu and hard_swish of Keras 2.2.4 are asked for, and never taken for those of Keras 3."""
    name = function.__name__
    path, result = converted(f"c56_{name}", tmp_path)
    assert [need.where for need in result.needs] == [name]
    assert difference(path, f"c56_{name}", **{name: function}) < 1e-5
    with pytest.raises(TypeError, match="Could not locate function"):
        keras().saving.load_model(path)


def test_a_function_that_the_user_says_is_that_of_keras(tmp_path: Path) -> None:
    """With --builtin it is, here with the difference that there is between the two forms of gelu."""
    path, result = converted("c56_gelu", tmp_path, builtins=frozenset({"gelu"}))
    assert not result.needs
    assert 1e-4 < difference(path, "c56_gelu") < 1e-2


def test_activations_of_tensorflow_addons(tmp_path: Path) -> None:
    """Addons>mish is that of Keras 3, and Addons>gelu the tanh form; nothing has to be brought."""
    path, result = converted("c13_tfa_more", tmp_path)
    assert not result.needs
    assert difference(path, "c13_tfa_more") < 1e-5


def test_needs_name_every_own_object(tmp_path: Path) -> None:
    """The initializer beside the layer, each once; the loss is lost, which is said."""
    _, result = converted("c07_retinanet", tmp_path)
    assert {entry.where for entry in result.needs} == {"PriorProbability", "UpsampleLike", "_focal"}
    assert any("_focal" in entry.what for entry in result.losses)


def test_norms_of_tensorflow_addons(tmp_path: Path) -> None:
    """InstanceNormalization and GroupNormalization of tensorflow-addons are layers of Keras 3."""
    path, result = converted("c12b_tfa_norms_only", tmp_path)
    assert [need.where for need in result.needs] == ["Addons>SigmoidFocalCrossEntropy"]  # to compile it anew
    assert difference(path, "c12b_tfa_norms_only") < 1e-6
