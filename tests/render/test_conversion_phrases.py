"""Phrases on conversions: the prediction of Keras, and tables that are cut short."""

from dataclasses import replace
from pathlib import Path

from ckpttool.conversion import Conversion, Edit, Transform
from ckpttool.conversion.journal import Applied
from ckpttool.conversion.prove.keras_run import Prediction
from ckpttool.render.conversion_phrases import edit_rows, predicted, transform_rows

PLAIN = Conversion(Path("old.h5"), Path("new.keras"), "legacy-model", "keras", "m", "Keras 2")
PREDICTION = Prediction("3.15.1", ("(2, 4) float32", "(2, 1) string"), ((2, 3),), finite=True, compiled=False)


def line(prediction: Prediction) -> str:
    """The line on a prediction."""
    [phrase] = predicted(replace(PLAIN, prediction=prediction))
    return phrase


def test_a_prediction() -> None:
    """Versions, shapes and inputs are said, and what tf_keras gave or why it was not asked."""
    start = "= Keras 3.15.1 loads it and predicts (2, 3) from (2, 4) float32, (2, 1) string"
    assert line(replace(PREDICTION, old="tf_keras is\nnot installed")) == (
        f"{start}; not compared with the old model: tf_keras is\\x0anot installed"
    )
    agreed = "tf_keras predicts the same with the old model (largest difference 2e-07)"
    assert line(replace(PREDICTION, difference=1.6e-7)) == f"{start}; {agreed}"
    assert line(replace(PREDICTION, difference=0.0)).endswith("(largest difference 0)")


def test_what_is_odd_about_a_prediction() -> None:
    """A compiled model, and numbers that are not finite, are said."""
    text = line(replace(PREDICTION, compiled=True, finite=False, outputs=((2, 3), (2,)), difference=0.0))
    assert text.startswith("= Keras 3.15.1 loads it, compiled, and predicts (2, 3), (2,) from (2, 4) float32, (2, 1) ")
    assert "string, not all of it finite; tf_keras predicts" in text


def test_no_prediction() -> None:
    """The reason why Keras was not run is said, if there is one."""
    assert predicted(PLAIN) == []
    assert predicted(replace(PLAIN, unpredicted="the file is\tlarge")) == [
        "= not run with Keras: the file is\\x09large"
    ]


def test_tables_are_cut_short() -> None:
    """Forty rows are shown, and how many more there are."""
    rows = transform_rows([Transform(f"w{at}", (f"old/w{at}",), ("times 1.2", "reversed")) for at in range(1043)])
    assert (len(rows), rows[0], rows[39]) == (41, ["w0", "times 1.2, reversed"], ["w39", "times 1.2, reversed"])
    assert rows[40] == ["...", "and 1,003 more; --output json has all"]
    assert len(transform_rows([Transform(f"w{at}", (f"old/w{at}",), ("times 1.2",)) for at in range(40)])) == 40


def test_edits_are_counted() -> None:
    """Equal edits of several layers are one row, with the first place."""
    edit = Edit("name", "does", "always")
    applied = [Applied(edit, "a", "x"), Applied(edit, "b", "y"), Applied(edit, "c", "x")]
    assert edit_rows(applied) == [["name", "2", "x", "a"], ["name", "1", "y", "b"]]
