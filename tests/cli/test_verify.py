"""`ckpttool verify` and `ckpttool spec`: options, exit codes, standard output and error apart."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.model.config import with_part
from ckpttool.render import VERIFY_OUTPUTS
from tests.alignment.test_object_graphs import CROSSED, own_model
from tests.formats.tensorflow import writer
from tests.samples import FIXTURES

MLP = FIXTURES / "keras3/mlp.weights.h5"
MODEL = FIXTURES / "keras3/mlp.keras"
CNN = FIXTURES / "keras3/cnn.keras"
ODD = FIXTURES / "keras3/odd.weights.h5"


def stored(path: Path, shapes: dict[str, tuple[int, ...]], fill: float = 1.0) -> Path:
    """A file of weights in the path layout."""
    with h5py.File(path, "w") as file:
        for place, shape in shapes.items():
            file[place] = np.full(shape, fill, "float32")
    return path


def verdict(text: str) -> dict[str, Any]:
    """A verdict in JSON."""
    result: dict[str, Any] = json.loads(text)
    return result


def test_what_fits(run: Callable[..., Any]) -> None:
    """Weights that load are exit code 0, with nothing on standard error."""
    outcome = run("verify", MLP, MODEL)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{MLP}: loads into {MODEL}" in outcome.out
    assert "4 weights match. Keras 3 loads it." in outcome.out


def test_weights_against_weights(run: Callable[..., Any]) -> None:
    """No config says whether Keras 3 builds a model with such weights, and none is believed to."""
    outcome = run("verify", MLP, MLP)
    assert (outcome.code, outcome.err) == (0, "")
    assert "4 weights match. Keras 3 loads it into a model with the same weights; whether it builds" in outcome.out


def test_what_does_not_fit(run: Callable[..., Any]) -> None:
    """Weights of another model are exit code 1, and every weight at fault is named."""
    outcome = run("verify", MLP, CNN, "-o", "json")
    result = verdict(outcome.out)
    assert outcome.code == 1
    assert (result["verdict"], result["keras"], result["ok"]) == ("does not load", "raises", False)
    statuses = {finding["status"] for finding in result["findings"]}
    assert statuses == {"MISSING", "UNEXPECTED", "SHAPE"}
    assert result["matched"] + sum(finding["slot"] is not None for finding in result["findings"]) == 11


def test_an_undecided_verdict(run: Callable[..., Any]) -> None:
    """A layer of an own class is exit code 2, and 0 once its weights are taken as they are."""
    model = FIXTURES / "keras3/odd.keras"
    outcome = run("verify", ODD, model)
    assert outcome.code == 2
    assert "odd is of class Odd" in outcome.out
    assert run("verify", ODD, model, "--allow-unexpected", "odd").code == 0


@pytest.mark.parametrize("output", sorted(VERIFY_OUTPUTS))
def test_outputs(output: str, run: Callable[..., Any]) -> None:
    """Each output says the verdict, by its long and its short option."""
    long, brief = run("verify", MLP, CNN, "--output", output), run("verify", MLP, CNN, "-o", output)
    assert long == brief
    assert long.code == 1
    assert "does not load" in long.out
    assert "UNEXPECTED" in long.out


def test_partial_loading(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A weight that the user allows to be missing or unexpected does not count, and is still shown."""
    weights = tmp_path / "part.weights.h5"
    stored(weights, {"layers/dense/vars/0": (4, 8), "layers/dense/vars/1": (8,), "extra/vars/0": (2,)})
    assert run("verify", weights, MODEL).code == 1
    assert run("verify", weights, MODEL, "--allow-missing", "output").code == 1
    outcome = run("verify", weights, MODEL, "--allow-missing", "output", "--allow-unexpected", "extra/*", "-o", "json")
    assert outcome.code == 0
    assert [finding["accepted"] for finding in verdict(outcome.out)["findings"]] == [True] * 3


def test_dtypes(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Another float dtype is told and accepted, and counts with `--dtype strict`."""
    half = FIXTURES / "keras3/bfloat16.weights.h5"
    spec = tmp_path / "half.spec.json"
    assert run("spec", half, "-o", spec).code == 0
    spec.write_text(spec.read_text().replace("bfloat16", "float32"))
    assert run("verify", half, spec).code == 0
    assert "(DTYPE)" in run("verify", half, spec).out
    assert run("verify", half, spec, "--dtype", "strict").code == 1


def test_optimizer(run: Callable[..., Any]) -> None:
    """`--optimizer` compares its state too, and says so where that cannot be told."""
    outcome = run("verify", MODEL, MODEL, "--optimizer", "-o", "json")
    assert outcome.code == 0
    assert verdict(outcome.out)["matched"] > verdict(run("verify", MODEL, MODEL, "-o", "json").out)["matched"]
    legacy, without = (
        run("verify", FIXTURES / "keras3/mlp.h5", MODEL, "--optimizer"),
        run("verify", CNN, CNN, "--optimizer"),
    )
    assert (legacy.code, without.code) == (1, 2)
    assert "as load_model of Keras 3 takes it, since load_weights leaves it alone" in legacy.out
    assert "no optimizer" in without.err


def test_values(tmp_path: Path, run: Callable[..., Any]) -> None:
    """`--values` finds NaN; without it nothing is read."""
    weights = tmp_path / "nan.weights.h5"
    shapes = {"layers/dense/vars/0": (4, 8), "layers/dense/vars/1": (8,), "layers/dense_1/vars/0": (8, 3)}
    stored(weights, {**shapes, "layers/dense_1/vars/1": (3,)}, fill=float("nan"))
    assert run("verify", weights, MODEL).code == 0
    outcome = run("verify", weights, MODEL, "--values")
    assert outcome.code == 1
    assert "VALUE" in outcome.out


def test_ways_of_loading(run: Callable[..., Any]) -> None:
    """`--by` imitates another loader than the one that Keras chooses for the file's name."""
    legacy = FIXTURES / "keras3/mlp.h5"
    assert verdict(run("verify", legacy, MODEL, "-o", "json").out)["loader"] == "order"
    assert run("verify", legacy, MODEL, "--by", "name").code == 0
    outcome = run("verify", legacy, MODEL, "--by", "path", "-o", "json")
    assert outcome.code == 1
    assert verdict(outcome.out)["problems"]


def test_specs_take_no_checkpoints_place(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A spec is not written over the architecture that it is made of, nor over any checkpoint."""
    model, document = shutil.copy(CNN, tmp_path / "a.keras"), shutil.copy(FIXTURES / "keras2.15/mlp.json", tmp_path)
    for architecture, target in ((model, model), (document, document), (document, model)):
        before = Path(target).read_bytes()
        outcome = run("spec", architecture, "--output-file", target)
        assert (outcome.code, outcome.out) == (2, "")
        assert "name another file" in outcome.err
        assert Path(target).read_bytes() == before


def test_spec_stands_for_its_model(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A model's spec accepts the files that the model accepts, and writing it twice gives the same bytes."""
    spec = tmp_path / "model.spec.json"
    assert run("spec", CNN, "--output-file", spec).code == 0
    first = spec.read_bytes()
    assert first == (run("spec", CNN).out).encode()
    for weights in (CNN, FIXTURES / "keras3/cnn.h5", MLP):
        by_model, by_spec = run("verify", weights, CNN, "-o", "json"), run("verify", weights, spec, "-o", "json")
        assert by_model.code == by_spec.code
        assert verdict(by_model.out)["findings"] == verdict(by_spec.out)["findings"]


def test_another_checkpoint_is_an_architecture(run: Callable[..., Any]) -> None:
    """Weights alone tell places and shapes."""
    assert run("verify", MLP, MLP).code == 0
    assert run("verify", MLP, FIXTURES / "keras3/nested.weights.h5").code == 1


def chained(*shapes: Any, units: Any = 3) -> str:
    """A Sequential model with an input of this shape."""
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": shape}} for shape in shapes
    ] + [{"class_name": "Dense", "config": {"units": units}}]  # fmt: skip
    return json.dumps({"class_name": "Sequential", "config": {"layers": layers}})


def connected(*pairs: tuple[str, str], begin: str = "i", end: str = "a") -> str:
    """A functional model of Dense layers, each called on another; `i` is the input."""
    layers: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [None, 4]}, "inbound_nodes": []}
    ]
    for name, source in pairs:
        nodes = [[[source, 0, 0, {}]]]
        layers.append({"class_name": "Dense", "name": name, "config": {"units": 3}, "inbound_nodes": nodes})
    config = {"name": "m", "layers": layers, "input_layers": [[begin, 0, 0]], "output_layers": [[end, 0, 0]]}
    return json.dumps({"class_name": "Functional", "config": config})


BAD = {
    "cut": '{"class_name": "Sequential", "config": {"layers": [',
    "no model": '{"class_name": 3}',
    "deep": "[" * 100_000,
    "number": '{"schema": "ckpttool.spec/1", "model": "m", "slots": 3}',
    "version": '{"schema": "ckpttool.spec/9", "model": "m", "slots": []}',
    "index": '{"schema": "ckpttool.spec/1", "model": "m", "slots": [{"layer": "a", "name": "b", "dtype": "float32", '
    '"path": "", "group": "a", "shape": [1], "trainable": true, "index": -1}]}',
    "units": '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": "x"}}]}}',
    "empty": "",
    "no object": "[]",
    "keys missing": '{"class_name": "Sequential"}',
    "layers no list": '{"class_name": "Sequential", "config": {"layers": {"a": 1}}}',
    "layer no object": '{"class_name": "Sequential", "config": {"layers": ["x"]}}',
    "key repeated": '{"class_name": "Sequential", "class_name": "Odd", "config": {"layers": []}}',
    "units not a number": chained(units=float("nan")),
    "units endless": chained(units=float("inf")),
    "units negative": chained(units=-3),
    "shape a text": chained("wide"),
    "shape an object": chained({"a": 1}),
    "shape of NaN": chained([None, float("nan")]),
    "shape negative": chained([None, -4]),
    "shape in parts": chained([None, 4.5]),
    "shape of texts": chained([None, "4"]),
    "shape huge": chained([None, 10**30]),
    "shape of 5000": chained([1] * 5000),
    "circle": connected(("a", "b"), ("b", "a")),
    "on itself": connected(("a", "a")),
    "twice": connected(("a", "i"), ("a", "i")),
    "on nothing": connected(("a", "nowhere")),
    "begins nowhere": connected(("a", "i"), begin="nowhere"),
    "ends nowhere": connected(("a", "i"), end="nowhere"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_bad_architectures(name: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    """An architecture that makes no sense is one clear message and exit code 2."""
    path = tmp_path / "model.json"
    path.write_text(BAD[name])
    outcome = run("verify", MLP, path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {path}: ")
    assert outcome.err.count("error:") == 1


@pytest.mark.parametrize(("attributes", "matches"), [(("y", "z"), 2), (("first", "second"), 0)])
def test_model_of_a_function_by_its_objects(
    attributes: tuple[str, str], matches: int, tmp_path: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of TensorFlow fits the model of a function by attributes, as tf.keras pairs them, not by names."""
    prefix = writer.with_graph(tmp_path, writer.graph(CROSSED), list("ab"))
    model = with_part({}, own_model(**dict(zip(attributes, ("dense", "dense_1"), strict=True))))
    monkeypatch.setattr("ckpttool.cli.options.model_of_function", lambda text: model)
    assert f"\n{matches} weights match" in run("verify", prefix, "mine:build").out
