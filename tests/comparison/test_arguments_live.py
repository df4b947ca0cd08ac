"""Layers of live Keras: every argument that is changed is one row, and every default may be left out."""

import itertools
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from ckpttool.comparison.arguments import Sides, argument_differences, differences, shown
from ckpttool.comparison.objects import ConfigObject, meaning
from ckpttool.model.class_names import ALIASES
from ckpttool.model.dtype_policies import read_policy
from ckpttool.model.layers.table import LAYERS, WEIGHTLESS
from tests.comparison.configured import Configs, both_ways
from tests.live import keras as live_keras
from tests.model import live_defaults
from tests.model.layer_cases import Spec, all_cases
from tests.model.live_layers import live_layer
from tests.model.shapes import layer_shape_cases

keras: Any = live_keras()

SPECS = {
    str(case.spec): case.spec
    for case in (*all_cases(tuple(sorted(WEIGHTLESS))), *layer_shape_cases.all_cases())
    if case.spec.class_name not in ("Lambda", "Layer", "Own", "Sequential")
}
CLASSES = sorted({spec.class_name for spec in SPECS.values()})
COUNTING = {"IntegerLookup", "StringLookup", "TextVectorization"}
SETTLED = {(name, "vocabulary_size") for name in COUNTING}  # counted by the layer
# What is tried elsewhere, or means the same as something of another class.
OTHERWISE = {("LossScaleOptimizer", "inner_optimizer")}
OTHERWISE |= {("VarianceScaling", key) for key in ("scale", "mode", "distribution")}
# What Keras sets along with an argument, or draws anew for each layer.
ALSO = {"trainable": {"layer.trainable"}, "output_mode": {"dtype"}, "shape": {"batch_shape"}, "width": {"seed"}}


@cache
def entry_of(text: str) -> dict[str, Any] | None:
    """The entry that Keras saves of a layer, None where it refuses to make it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            layer = live_layer(SPECS[text], name="mine")
        except Exception:
            return None
        saved: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        return saved


def entries(class_name: str) -> list[tuple[Spec, dict[str, Any]]]:
    """The specs of a class with what Keras saves of them."""
    entries = ((spec, entry_of(text)) for text, spec in SPECS.items() if spec.class_name == class_name)
    return [(spec, entry) for spec, entry in entries if entry is not None]


def layer_of(entry: Any) -> ConfigObject:
    """A layer of Keras 3 by class and arguments."""
    described = meaning("layers", entry, False)
    assert isinstance(described, ConfigObject)
    return described


def rows(a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    """The differences of two layers, by the way of two models that have only them."""
    models = [{"class_name": "Sequential", "config": {"name": "m", "layers": [entry]}} for entry in (a, b)]
    return [(change.key, change.old, change.new) for change in both_ways(*map(Configs, models))]


def pairs(class_name: str) -> Iterator[tuple[str, Any, Any]]:
    """Pairs of layers of a class that are made with all arguments alike but one; the name of that one."""
    groups: dict[tuple[str, str], list[tuple[Spec, Any]]] = defaultdict(list)
    for spec, entry in entries(class_name):
        for key in spec.kwargs:
            rest = {name: str(value) for name, value in sorted(spec.kwargs.items()) if name != key}
            groups[key, str(rest)].append((spec, entry))
    for (key, _), group in groups.items():
        for (one, a), (other, b) in itertools.pairwise(group):
            if key == "dtype" and read_policy(one.kwargs[key]) == read_policy(other.kwargs[key]):
                continue  # int4 and int4/-1 are one
            if a["config"] != b["config"]:
                yield key, a, b


@pytest.mark.parametrize("class_name", CLASSES)
def test_one_argument(class_name: str) -> None:
    """Layers that are made with one other argument differ in that one, and nowhere else."""
    for key, a, b in pairs(class_name):
        changes = rows(a, b)
        assert changes, (key, a, b)
        below = [path for path, _, _ in changes if path != key and not path.startswith(f"{key}.")]
        assert set(below) <= ALSO.get(key, set()), (key, changes)


@pytest.mark.parametrize("class_name", CLASSES)
def test_one_value(class_name: str) -> None:
    """Any changed value of a config is one row, with its key and both values."""
    seen = set()
    for _, entry in entries(class_name):
        for key in entry["config"].keys() - {"name"} - seen:
            if (class_name, key) not in SETTLED:
                seen.add(key)
                value = other(key, entry["config"][key])
                changed = {**entry, "config": {**entry["config"], key: value}}
                changes = rows(entry, changed)
                assert [path for path, _, _ in changes] == [key], (key, changes)
                assert changes[0][2] == (value["class_name"] if isinstance(value, dict) else value)
                assert changes[0][1] == short(key, entry["config"][key])


def other(key: str, value: Any) -> Any:
    """Another value in place of one, one that an argument of this name can have."""
    if key == "dtype":
        return "float16"
    if isinstance(value, dict):
        return {"class_name": "Mine", "config": {}}
    if isinstance(value, list):
        return [*value, 9]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    return 7 if value is None else value + 1


def short(key: str, value: Any) -> Any:
    """A value as it is told."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if key == "dtype" and value["class_name"] != "DTypePolicyMap":
        return keras.dtype_policies.deserialize(value).name
    return shown(meaning("", value, False))


@pytest.mark.parametrize("class_name", CLASSES)
def test_defaults_left_out(class_name: str) -> None:
    """A config that leaves out what its layer has by default is the same."""
    for spec, entry in entries(class_name):
        arguments = {*spec.kwargs, *required(class_name)}
        remaining = {key: value for key, value in entry["config"].items() if key in (*arguments, "name")}
        remaining |= {
            key: value for key, value in entry["config"].items() if key in ("layer", "cell", "cells", "layers")
        }
        if class_name == "InputLayer":
            remaining["batch_shape"] = entry["config"]["batch_shape"]
        assert not list(argument_differences(layer_of(entry), layer_of({**entry, "config": remaining})))


def required(class_name: str) -> set[str]:
    """The arguments without which a layer cannot be made."""
    return {*live_defaults.REQUIRED.get(class_name, ()), *live_defaults.COMMON}


@pytest.mark.parametrize("kind", ["initializers", "regularizers", "constraints", "losses", "metrics", "optimizers"])
def test_names_and_objects(kind: str) -> None:
    """An object that is as its class makes it is the same as its name, whichever of the names; and nothing else is."""
    module = getattr(keras, kind)
    for name, cls in live_defaults.classes_of(kind).items():
        arguments = live_defaults.required_arguments(cls)
        saved = json.loads(json.dumps(module.serialize(cls(**arguments))))
        if not arguments:
            assert not list(differences("x", kind, saved, name, Sides()))
        for key, value in saved["config"].items():
            if value is not None and (name, key) not in OTHERWISE and key != "name":
                changed = {**saved, "config": {**saved["config"], key: other(key, value)}}
                changes = list(differences("x", kind, saved, changed, Sides()))
                assert [path for path, _, _ in changes] == [f"x.{key}"], (name, key)


def test_every_layer_has_cases() -> None:
    """Every built-in layer has several settings here."""
    tried = {ALIASES.get(name, name) for name in CLASSES}
    assert {*LAYERS} - {*ALIASES} - tried == {"Functional", "Lambda", "Sequential"} | ({"Layer"} & {*LAYERS})
