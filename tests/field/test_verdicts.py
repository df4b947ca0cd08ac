"""What verify and check say of what cannot be known, and of what Keras misses only where the model is called."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpttool.verifying import Allowed, verify
from tests.architecture.live_defaults import keras
from tests.corpus import FIELD, needs_field


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
    found = verify(tmp_path / "own.keras", tmp_path / "own.keras", allowed=Allowed(optimizer=True))
    assert (found.verdict, found.keras) == ("cannot tell", "loads")
    assert len(found.unchecked) == 1 + 8  # of the class, and of Adam


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
        found = verify(path, path)
        assert (found.verdict, found.keras) == ("does not load", "loads wrongly"), path


@needs_field
def test_what_the_user_has_to_give(run: Callable[..., Any], tmp_path: Path) -> None:
    """Classes and functions that Keras 3 does not have, without which load_model fails, are named."""
    old, new = FIELD / "c12b_tfa_norms_only.h5", tmp_path / "new.keras"
    assert "given Addons>InstanceNormalization, Addons>GroupNormalization" in run("verify", old, old).out
    assert run("convert", FIELD / "c56_gelu.h5", new).code == 0
    assert "Keras 3 loads it, given gelu (custom_objects)." in run("verify", new, new).out


@needs_field
@pytest.mark.parametrize("name", ["c20_strlookup.h5", "c21_int.h5", "c21_tfidf.h5"])
def test_a_file_that_a_failed_save_left(name: str, run: Callable[..., Any]) -> None:
    """Keras 2 raised in the middle of it; the group that it stopped at holds no weights in an order of names."""
    done = run("check", FIELD / name)
    assert "a save that never finished leaves this" in done.out
    assert "order of their names" not in done.out
