"""Helpers for the tests of the rules of safety: findings as short values, and values buried in a config."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckpttool.checks.policy import Policy
from ckpttool.checks.rule import Finding
from ckpttool.checks.runner import check_file
from tests.samples import keras_like, members

SAFETY = Policy(select=("S",))
MODEL: dict[str, Any] = json.loads(members("keras3.0/mlp.keras")["config.json"])


def findings(path: Path) -> tuple[Finding, ...]:
    """The findings of the rules of safety in a file."""
    return check_file(str(path), SAFETY).findings


def codes(path: Path) -> set[str]:
    """The codes of the rules of safety that a file breaks."""
    return {finding.rule.code for finding in findings(path)}


def with_config(path: Path, config: Any) -> Path:
    """A `.keras` of this config, written to `path`."""
    return keras_like(path, config=json.dumps(config).encode())


def layer(class_name: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The entry of a layer as Keras 3 writes it."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": config,
        "registered_name": None,
        "build_config": {"input_shape": [None, 2]},
        **more,
    }


def _model(*extra: Any) -> dict[str, Any]:
    config = copy.deepcopy(MODEL)
    config["config"]["layers"] += extra
    return config


def _nested(value: Any) -> dict[str, Any]:
    inner = value
    for number in range(40):
        inner = {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": f"s{number}", "layers": [inner]},
            "registered_name": None,
        }
    return _model(inner)


def _deep(value: Any) -> dict[str, Any]:
    for number in range(400):
        value = {"x": value} if number % 2 else [value]
    return _model(layer("Dense", {"name": "d", "units": 2, "made_up": value}))


def _twice_json(value: Any) -> dict[str, Any]:
    return _model(layer("Dense", {"name": "d", "units": 2, "made_up": json.dumps({"x": json.dumps({"y": value})})}))


BURIED: dict[str, Callable[[Any], Any]] = {
    "a layer": _model,
    "an activation": lambda value: _model(layer("Dense", {"name": "d", "units": 2, "activation": value})),
    "a wrapper": lambda value: _model(layer("TimeDistributed", {"name": "t", "layer": value})),
    "40 models deep": _nested,
    "400 lists and objects deep": _deep,
    "a text of JSON": lambda value: _model(layer("Dense", {"name": "d", "units": 2, "made_up": json.dumps(value)})),
    "JSON in JSON": _twice_json,
    "a loss": lambda value: {**_model(), "compile_config": {"optimizer": "adam", "loss": {"out": value}}},
    "a metric": lambda value: {**_model(), "compile_config": {"optimizer": "adam", "metrics": [["mae", value]]}},
    "a build config": lambda value: _model(layer("Dense", {"name": "d", "units": 2}, build_config={"shapes": [value]})),
    "a call": lambda value: _model(
        layer("Dense", {"name": "d", "units": 2}, inbound_nodes=[{"args": [[value]], "kwargs": {"mask": value}}])
    ),
}
"""Places of a config in which a thing can stand, each as a function from the thing to the config."""


def everywhere(value: Any) -> dict[str, Any]:
    """A config that holds a thing at every place, each below a key of its own."""
    return {place.replace(" ", "_"): bury(value) for place, bury in BURIED.items()}


def place_of(finding: Finding) -> str:
    """The place of `BURIED` that a finding about `everywhere` speaks of."""
    return finding.where.split(".")[1].replace("_", " ")
