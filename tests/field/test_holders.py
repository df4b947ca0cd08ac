"""Classes of the user's own that hold layers or weights, wrappers, and weights for another architecture."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.conversion import convert, plan
from tests.corpus import FIELD, needs_field

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    keras: Any = pytest.importorskip("keras", minversion="3.15", reason="what is written is for Keras 3.15")

pytestmark = [needs_field, pytest.mark.filterwarnings("ignore")]


def predicted(model: Any, name: str) -> tuple[Any, Any]:
    """What a model predicts and what its writer did."""
    with np.load(FIELD / f"{name}.npz") as truth:
        return model.predict(truth["x0"], verbose=0), truth["y0"]


def test_a_class_whose_config_holds_a_layer_is_refused() -> None:
    """The file has one list of weights, of which no port could take them; the way out is named, once a layer."""
    found = plan(FIELD / "c11_tfa_weightnorm.h5", "new.keras")
    assert [refusal.where for refusal in found.refusals] == ["wn_conv", "wn_dense"]
    assert all("--arch package.module:function" in refusal.what for refusal in found.refusals)


class Scale(keras.layers.Layer):  # type: ignore[misc, unused-ignore]
    """The class of c37, ported."""

    def __init__(self, by: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def build(self, shape: Any) -> None:
        """Makes its weight."""
        self.w = self.add_weight(name="w", shape=(shape[-1],))

    def call(self, x: Any) -> Any:
        """x times the weight."""
        return x * self.w * self.by

    def get_config(self) -> dict[str, Any]:
        """With the factor."""
        return {**super().get_config(), "by": self.by}


@pytest.mark.parametrize("name", ["c37_custom.h5", "c37_custom.keras"])
def test_an_own_class_keeps_its_weights(name: str, tmp_path: Path) -> None:
    """The group of a `.keras` is copied as it is; that a legacy list is the layer's own is a guess."""
    found = convert(FIELD / name, tmp_path / "new.keras")
    assert [guess.where for guess in found.guesses] == (["own classes"] if name.endswith(".h5") else [])
    objects = {"mine>Scale": Scale, "mine>act": lambda x: keras.ops.relu(x) - 0.1}
    model = keras.saving.load_model(tmp_path / "new.keras", custom_objects=objects)
    np.testing.assert_allclose(*predicted(model, "c37_custom"), atol=1e-6)
