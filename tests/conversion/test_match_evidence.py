"""The evidence by which weights come to a model of the user's own code: what is a guess, and what names contradict.

The objects of a live model are those that the table makes of a config (test_target_by_config.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from ckpttool.conversion import Conversion, convert, plan
from ckpttool.model import Architecture
from ckpttool.model.config import with_part
from tests.conversion.test_target_by_config import architecture_of

SQUARE = {"kernel": (3, 3), "bias": (3,)}


def live(*names: str) -> Architecture:
    """A live model of a Dense of three units for each name."""
    layers = [{"class_name": "Dense", "module": "keras.layers", "config": {"name": name, "units": 3}} for name in names]
    start = {"class_name": "InputLayer", "module": "keras.layers", "config": {"batch_shape": [None, 3], "name": "x"}}
    config = {"class_name": "Sequential", "module": "keras", "config": {"name": "m", "layers": [start, *layers]}}
    return architecture_of(config)


def with_own(*inside: str) -> Architecture:
    """A live model of one layer of the user's own class, which has a Dense of each name in it."""
    model = live(*inside)
    assert model.part is not None
    [*start, (path, first)] = model.part.children[: -len(inside) + 1 or None]
    parts = [part for _, part in model.part.children if part.name in inside]
    children = tuple((part.name, part) for part in parts)
    own = replace(first, class_name="Own", name="own", slots=(), children=children)
    return with_part(live("own").config, replace(model.part, children=(*start, (path, own))))


def file_of(path: Path, **layers: Sequence[str]) -> Path:
    """A legacy file of weights alone, of Keras 2: in each layer a kernel and a bias below each of the names."""
    with h5py.File(path, "w") as file:
        file.attrs.update(
            layer_names=[name.encode() for name in layers], backend=b"tensorflow", keras_version=b"2.15.0"
        )
        for layer, scopes in layers.items():
            names = [f"{scope}/{name}:0" for scope in scopes for name in SQUARE]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for at, name in enumerate(names):
                group[name] = np.full(SQUARE[name.rpartition("/")[2].removesuffix(":0")], at, "float32")
    return path


def guesses(result: Conversion, where: str) -> list[str]:
    """The guesses at a place."""
    return [guess.what for guess in result.guesses if guess.where == where]


def test_names_are_evidence(tmp_path: Path) -> None:
    """Layers of the same names are matched by these, in any order, and nothing is guessed."""
    result = plan(file_of(tmp_path / "w.h5", b=["b"], a=["a"]), tmp_path / "new.keras", arch=live("a", "b"))
    assert result.refusals == ()
    assert [edit.detail for edit in result.edits if edit.edit.name == "place-in-live-model"] == ["4 by layer name"]
    assert guesses(result, "layers") == guesses(result, "own classes") == []


def test_layers_with_other_names_are_matched_by_order(tmp_path: Path) -> None:
    """That is a guess, which names the layers of both sides."""
    source = file_of(tmp_path / "w.h5", first=["first"], second=["second"])
    result = plan(source, tmp_path / "new.keras", arch=live("a", "b"))
    assert result.refusals == ()
    assert [edit.detail for edit in result.edits if edit.edit.name == "place-in-live-model"] == ["4 by order of layers"]
    text = "2 by their order, as they have other names in the file: a of first, b of second"
    assert guesses(result, "layers") == [text]


def test_an_order_that_names_contradict_is_refused(tmp_path: Path) -> None:
    """Layers that would get each other's weights are refused, with what to do."""
    source = file_of(tmp_path / "w.h5", b=["b"], a=["a"], other=["other"])
    result = plan(source, tmp_path / "new.keras", arch=live("a", "b", "c"))
    way_out = "order the layers as in the file"
    assert [(refusal.where, refusal.what) for refusal in result.refusals] == [
        ("a", f"would get, by order, the weights stored for b; {way_out}"),
        ("b", f"would get, by order, the weights stored for a; {way_out}"),
    ]


def test_names_inside_an_own_class(tmp_path: Path) -> None:
    """Weights of one shape in an own class are distinguished by the ends of their names, or guessed by their order."""
    alike = file_of(tmp_path / "alike.h5", own=["own/inner", "own/outer"])
    result = plan(alike, tmp_path / "new.keras", arch=with_own("inner", "outer"))
    assert result.refusals == ()
    assert guesses(result, "own classes") == []
    other = file_of(tmp_path / "other.h5", own=["own/dense", "own/dense_1"])
    result = plan(other, tmp_path / "new.keras", arch=with_own("inner", "outer"))
    assert result.refusals == ()
    text = "weights in the order of the class, as stored names do not distinguish them: own"
    assert guesses(result, "own classes") == [text]


def test_weights_of_an_own_class_that_names_contradict_are_refused(tmp_path: Path) -> None:
    """Weights that would change their places within the class are refused."""
    source = file_of(tmp_path / "w.h5", own=["own/outer", "own/inner"])
    result = plan(source, tmp_path / "new.keras", arch=with_own("inner", "outer"))
    crossed = [(refusal.where, refusal.what.partition(";")[0]) for refusal in result.refusals]
    assert ("own/inner/kernel", "would get, by order, the weight stored as own/outer/kernel") in crossed


def test_paths_of_keras_3_that_names_contradict_are_refused(tmp_path: Path) -> None:
    """A file of Keras 3 has numbered paths, and beside them the names of layers: an order that they contradict is
    refused."""
    weights = tmp_path / "model.weights.h5"
    convert(file_of(tmp_path / "w.h5", a=["a"], b=["b"]), weights, arch=live("a", "b"))
    assert plan(weights, tmp_path / "new.keras", arch=live("a", "b")).refusals == ()
    result = plan(weights, tmp_path / "new.keras", arch=live("b", "a"))
    assert {refusal.where.partition("/")[0] for refusal in result.refusals} == {"a", "b"}
