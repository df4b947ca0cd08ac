"""Verdicts of verify and check on facts that nobody can know, and on vocabularies that Keras misses only in a call."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpttool.verification import Allowed, verify
from tests.corpus import FIELD, needs_field
from tests.live import keras


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_the_optimizer_of_a_model_with_an_own_class(tmp_path: Path) -> None:
    """It also has variables for the weights of the class, which are not known: nothing is said to be too many."""
    layers = keras().layers

    class Scale(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.w = self.add_weight(name="w", shape=(shape[-1],))

        def call(self, x: Any) -> Any:
            return x * self.w

    model = keras().Sequential([layers.Input((3,)), Scale(), layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "own.keras")
    result = verify(tmp_path / "own.keras", tmp_path / "own.keras", allowed=Allowed(optimizer=True))
    assert (result.verdict, result.keras) == ("cannot tell", "loads")
    assert len(result.unchecked) == 1 + 8  # of the class, and of Adam


def without_assets(path: Path) -> Path:
    """A copy of c45_vocab_a.keras that lost its assets."""
    with zipfile.ZipFile(FIELD / "c45_vocab_a.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if not name.startswith("assets/"):
                target.writestr(name, source.read(name))
    return path


@needs_field
@pytest.mark.filterwarnings("ignore")
def test_a_vocabulary_is_missed_where_the_model_is_called(tmp_path: Path) -> None:
    """Keras loads such models without an error, and verify does not say that it raises one."""
    paths = (without_assets(tmp_path / "lost.keras"), FIELD / "c20_strlookup.h5", FIELD / "c21_tfidf.h5")
    for path in paths:
        keras().models.load_model(path)
        result = verify(path, path)
        assert (result.verdict, result.keras) == ("does not load", "loads wrongly"), path


@needs_field
def test_what_the_user_has_to_give(run: Callable[..., Any], tmp_path: Path) -> None:
    """Classes and functions that Keras 3 does not have, without which load_model fails, are named."""
    old, new = FIELD / "c12b_tfa_norms_only.h5", tmp_path / "new.keras"
    needed = "Addons>InstanceNormalization, Addons>GroupNormalization, Addons>SigmoidFocalCrossEntropy, Addons>F1Score"
    assert f"Keras 3 loads it, given {needed} (custom_objects), with a new state" in run("verify", old, old).out
    assert run("verify", old, old, "--for", "keras3").code == 2
    assert f"P107 needs-own-objects  config: load_model needs them as custom_objects: {needed}" in run("check", old).out
    assert run("convert", FIELD / "c56_gelu.h5", new).code == 0
    assert "Keras 3 loads it, given gelu (custom_objects)." in run("verify", new, new).out


@needs_field
@pytest.mark.parametrize("name", ["c20_strlookup.h5", "c21_int.h5", "c21_tfidf.h5"])
def test_a_file_that_a_failed_save_left(name: str, run: Callable[..., Any]) -> None:
    """Keras 2 raised in the middle of it; the group that it stopped at holds no weights in an order of names."""
    outcome = run("check", FIELD / name)
    assert "a save that never finished leaves this" in outcome.out
    assert "order of their names" not in outcome.out


@needs_field
def test_what_an_uncompiled_model_needs(run: Callable[..., Any]) -> None:
    """c13's activations are the author's, with compile=False too; nothing is needed that only compile asks for."""
    path = FIELD / "c13_tfa_more.h5"
    phrase = "loads it with compile=False alone, given Addons>mish, Addons>gelu (custom_objects)"
    assert phrase in run("verify", path, path).out
    assert run("verify", path, path, "--for", "keras3").code == 1
    own = FIELD / "c37_custom.h5"
    assert "given mine>act, mine>myloss (custom_objects)" in run("verify", own, own).out


@needs_field
def test_weights_of_a_parallel_model(run: Callable[..., Any]) -> None:
    """multi_gpu_model's pattern is named, and what places the weights (keras#11253)."""
    outcome = run("verify", FIELD / "c02_multi_gpu_weights.h5", FIELD / "c02_single.json")
    assert outcome.code == 1
    assert "all weights stand in one model, sequential_1" in outcome.out
    assert "convert --arch places them" in outcome.out


@needs_field
def test_weights_for_cudnn(run: Callable[..., Any]) -> None:
    """Keras 2.2.4 loads them into the plain layers of its architecture, Keras 3 does not (keras#9463)."""
    files = (FIELD / "c03_cudnn_weights.h5", FIELD / "c03_plain.json")
    assert "Keras 2 builds this architecture, Keras 3 cannot" in run("verify", *files).out
    assert (run("verify", *files).code, run("verify", *files, "--for", "keras3").code) == (0, 1)


@needs_field
def test_what_is_beside_a_quantized_kernel(run: Callable[..., Any]) -> None:
    """check calls it as ls does (keras#21378)."""
    path = FIELD / "c27_int8.keras"
    assert "key/kernel_scale" in run("ls", path).out
    assert "I113 weights-too-many  mha: key/kernel_scale" in run("check", path).out
