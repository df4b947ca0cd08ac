"""Every report from the field as its reader would try it: convert, load compiled, predict, verify, check, diff."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpus import FIELD, needs_field
from tests.field.test_compile import own_classes
from tests.field.test_names import gelu, hard_swish
from tests.field.test_verdicts import without_assets
from tests.live import keras

pytestmark = [needs_field, pytest.mark.filterwarnings("ignore")]  # of Keras and TensorFlow, where they load and run

CONVERTIBLE = [
    "c05_bidir_inner_shape.h5",
    "c07_retinanet.h5",
    "c10_efficientnet.h5",
    "c12b_tfa_norms_only.h5",
    "c13_tfa_more.h5",
    "c21_int.keras",
    "c24_reverse.keras",
    "c24_reverse.h5",
    "c29_names_k215.h5",
    "c29_names_k215.keras",
    "c37_custom.h5",
    "c37_custom.keras",
    "c49_disc_adapt_k215.h5",
    "c49_disc_adapt_k215.keras",
    "c49_hash_salt_t24.h5",
    "c50_deferred_k215.h5",
    "c50_deferred_k215.keras",
    "c56_gelu.h5",
    "c56_hard_swish.h5",
    "c57_addloss_k2.h5",
]


def objects() -> dict[str, Any]:
    """The authors' own objects, ported."""
    from tests.field.test_holders import scale

    ours = {"mine>Scale": scale(), "mine>act": lambda x: keras().ops.relu(x) - 0.1, "gelu": gelu}
    return {**own_classes(), **ours, "hard_swish": hard_swish}


@pytest.mark.parametrize("name", CONVERTIBLE)
def test_what_is_converted(name: str, run: Callable[..., Any], tmp_path: Path) -> None:
    """Keras loads it compiled and predicts what was recorded; verify, check and diff say so of old and new."""
    new = tmp_path / "new.keras"
    outcome = run("convert", FIELD / name, new)
    assert outcome.code == 0, outcome.err
    model = keras().models.load_model(new, custom_objects=objects() if "+ needs" in outcome.out else None)
    with np.load(FIELD / f"{name.partition('.')[0]}.npz") as known:
        model.run_eagerly = True  # no graph is traced for one batch
        predicted = model.predict(known["x0"], verbose=0)
        for at, output in enumerate(predicted if isinstance(predicted, list) else [predicted]):
            np.testing.assert_allclose(output, known[f"y{at}"], rtol=1e-5, atol=1e-5)
    compiled = ["--optimizer"] if getattr(model, "optimizer", None) else []
    verified = run("verify", new, new, "--for", "keras3", *compiled)
    assert verified.code == (2 if "not Keras's own" in verified.out or ", given " in verified.out else 0), verified.out
    assert "P102" not in run("check", new).out
    assert run("diff", FIELD / name, new).code == 0


def test_a_vocabulary_in_the_file(run: Callable[..., Any], tmp_path: Path) -> None:
    """It is listed and compared, and carried, or said to be lost (tensorflow#61369)."""
    first, second = FIELD / "c45_vocab_a.keras", FIELD / "c45_vocab_b.keras"
    differs = run("diff", first, second)
    assert differs.code == 1
    assert "vocabulary" in differs.out
    assert all("vocabulary.txt" in run(command, first).out for command in ("ls", "info", "textconv"))
    assert run("textconv", first).out != run("textconv", second).out
    assert run("convert", first, tmp_path / "new.keras").code == 0
    assert run("diff", first, tmp_path / "new.keras").code == 0
    assert "vocabulary" in run("convert", first, tmp_path / "new.weights.h5").out


def test_a_vocabulary_that_is_gone(run: Callable[..., Any], tmp_path: Path) -> None:
    """No command passes over it (tensorflow#61369)."""
    path = without_assets(tmp_path / "lost.keras")
    for command in (("diff", FIELD / "c45_vocab_a.keras", path), ("verify", path, path), ("check", path)):
        outcome = run(*command)
        assert (outcome.code, "vocabulary" in outcome.out) == (1, True), outcome.out
    assert run("convert", path, tmp_path / "new.keras").code == 2


@pytest.mark.parametrize("name", ["c22_ragged.h5", "c22_ragged.keras"])
def test_ragged_input_of_a_recurrent_layer(name: str, run: Callable[..., Any], tmp_path: Path) -> None:
    """Keras 3 runs no recurrent layer on it; convert refuses it, info shows it (tensorflow#43591)."""
    outcome = run("convert", FIELD / name, tmp_path / "new.keras")
    assert (outcome.code, "ragged" in outcome.err) == (2, True)
    assert "ragged" in run("info", FIELD / name).out


def test_who_opens_a_model_of_keras_3(run: Callable[..., Any], tmp_path: Path) -> None:
    """info and a rule say it; weights in the old layout are the way out (tensorflow#66381)."""
    for suffix in (".keras", ".h5"):
        assert "Keras 3" in run("info", FIELD / f"c24_reverse{suffix}").out
        assert "P106" in run("check", FIELD / f"c24_reverse{suffix}", "--select", "ALL,P106").out
    assert run("convert", FIELD / "c24_reverse.keras", tmp_path / "old.h5").code == 0


FUNCTIONS = """
import keras
def scaling(x, scale=1.0): return x * scale
def normalized(x): return keras.ops.normalize(x, axis=1)
"""


def test_functions_for_many_lambdas(run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern names them; one that matches nothing is an error (keras-facenet#24)."""
    (tmp_path / "rows_functions.py").write_text(FUNCTIONS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    source, new = FIELD / "c25_facenet.h5", tmp_path / "new.keras"
    scaling = ("--replace", "block_*_ScaleSum=rows_functions:scaling")
    outcome = run("convert", source, new, *scaling, "--replace", "norm=rows_functions:normalized")
    assert outcome.code == 0, outcome.err
    ours = vars(importlib.import_module("rows_functions"))
    model = keras().models.load_model(new, custom_objects={name: ours[name] for name in ("scaling", "normalized")})
    with np.load(FIELD / "c25_facenet.npz") as known:
        np.testing.assert_allclose(model.predict(known["x0"], verbose=0), known["y0"], atol=1e-6)
    for wrong in ((source, *scaling), (FIELD / "c24_reverse.keras",)):
        outcome = run("convert", wrong[0], new, *wrong[1:], "--force", "--replace", "nosuch=rows_functions:normalized")
        assert (outcome.code, "nosuch" in outcome.err) == (2, True)


def test_a_feature_space_inside(run: Callable[..., Any], tmp_path: Path) -> None:
    """TFDConcat is Keras's own and has no weights (tf-keras#166)."""
    path = FIELD / "c41_model.keras"
    assert run("verify", path, path).code == 0
    assert "TFDConcat" in run("ls", "--layers", path).out
    assert run("convert", path, tmp_path / "new.keras").code == 0


@pytest.mark.parametrize("name", ["gelu", "hard_swish"])
def test_check_says_whose_a_function_is(name: str, run: Callable[..., Any]) -> None:
    """A function before its time is the author's, not the one of Keras 3 (keras#11834)."""
    assert name in run("check", FIELD / f"c56_{name}.h5").out


@pytest.mark.parametrize("name", ["c20_strlookup.h5", "c21_int.h5", "c21_tfidf.h5"])
def test_check_misses_a_vocabulary(name: str, run: Callable[..., Any]) -> None:
    """A whole model whose vocabulary was never written does not pass (tensorflow#61779, tensorflow/text#980)."""
    outcome = run("check", FIELD / name)
    assert (outcome.code, "vocabulary" in outcome.out) == (1, True)
    assert run("verify", FIELD / name, FIELD / name).code == 1
