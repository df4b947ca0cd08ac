"""A checkpoint and what `convert` made of it are the same in meaning, for all that are here; a real change is found."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckpttool.alignment.architectures import load_architecture
from ckpttool.checkpoint import Checkpoint, Section
from ckpttool.comparison import Diff, Scope
from ckpttool.comparison.change import CONNECTION
from ckpttool.equivalence import diff
from tests.corpus import needs_corpus, needs_corpus_2, needs_field
from tests.equivalence.sources import CORPORA, FOLDERS, Pair, conversions, in_memory, opened
from tests.samples import FIXTURES
from tests.speeds import is_slow

_NEEDED = {"corpus": needs_corpus, "corpus_2": needs_corpus_2, "field": needs_field}
MODELS = [pytest.param(FIXTURES / name, id=name) for name in FOLDERS]
PLACES = [
    *(pytest.param(*case.values, ".keras", id=case.id) for case in MODELS),
    *(pytest.param(FIXTURES / name, ".weights.h5", id=f"{name}, weights") for name in ("gone", "keras1.2", "keras2.2")),
    *(pytest.param(FIXTURES / name, ".h5", id=f"{name}, legacy") for name in ("keras2.15", "keras3", "resume")),
    *(pytest.param(path, ".keras", id=name, marks=_NEEDED[name]) for name, path in CORPORA.items()),
]
GRAPHS = {"keras1.2", "keras2.15", "keras2.2", "old_models"}
MASKED = "local2d_2_"
"""Kernels of LocallyConnected that hold numbers without a meaning, outside of the mask that it multiplies them by."""


Conversions = Callable[..., list[Pair]]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Conversions:
    """The conversions of a folder to a suffix, made once for all tests of a process, which read them."""

    @cache
    def pairs_of(folder: Path, suffix: str = ".keras") -> list[Pair]:
        return list(conversions(folder, tmp_path_factory.mktemp("converted"), suffix))

    return pairs_of


def compared(pair: Pair, a: Path | Checkpoint, b: Path | Checkpoint) -> Diff:
    """The diff of two checkpoints of a pair, with the architecture that the conversion needed."""
    return diff(a, b, Scope(architecture=load_architecture(pair.arch) if pair.arch else None))


def differences(result: Diff) -> tuple[Any, ...]:
    """The differences in short, empty where there are none."""
    weights = [pair.a.name for pair in (*result.changed, *result.reshaped)]
    weights += [unit.name for unit in (*result.removed, *result.added)]
    settings = [(change.layer, change.key, change.old, change.new) for change in result.settings]
    return (sorted(result.differences), weights, settings) if result.differences else ()


def spread(pairs: list[Pair]) -> list[Pair]:
    """About twenty conversions of those of a folder, from its beginning to its end; all of them in a slow run."""
    return pairs if is_slow() else pairs[:: 1 + len(pairs) // 20]


@pytest.mark.parametrize(("folder", "suffix"), PLACES)
def test_the_same_in_meaning(folder: Path, suffix: str, pairs: Conversions) -> None:
    """Nothing is different between a source and its conversion, in whichever order, nor to a second conversion."""
    wrong = {}
    whole = pairs(folder, suffix)
    turned = set(map(str, spread(whole)))
    for pair in whole:
        more = [(pair.target, pair.source), (pair.target, pair.target)] if str(pair) in turned else []
        for ends in ((pair.source, pair.target), *more):
            changes = differences(compared(pair, *ends))
            if changes:
                wrong[f"{pair} {ends[0].suffix}"] = changes
    assert wrong == {}


def mutated(checkpoint: Checkpoint, path: str) -> Checkpoint:
    """A checkpoint with one number of one weight changed."""
    weight = checkpoint.weights[path]
    values = weight.read()
    values.reshape(-1)[-1] += 0.5
    return replace(checkpoint, weights={**checkpoint.weights, path: in_memory(weight, values)})


def trainable(checkpoint: Checkpoint) -> list[str]:
    """The weights of a model that can be changed in some number."""
    return [
        weight.path
        for weight in checkpoint.section(Section.MODEL)
        if weight.dtype == "float32" and weight.size and np.isfinite(weight.read()).all()
    ]


def some(paths: list[str], at: int) -> list[str]:
    """A weight of several, another for each checkpoint; in a slow run a few."""
    return paths[:: max(1, len(paths) // 2)] if is_slow() else [paths[at % len(paths)]] if paths else []


@pytest.mark.parametrize("folder", MODELS)
def test_one_number_is_a_change(folder: Path, pairs: Conversions) -> None:
    """One changed number of one weight on either side is told of that weight, and of nothing else."""
    wrong = {}
    for at, pair in enumerate(spread(pairs(folder))):
        source, target = opened(pair.source), opened(pair.target)
        for path in [] if MASKED in str(pair) else some(trainable(source), at):
            result = compared(pair, mutated(source, path), target)
            if [pair.a.path for pair in result.changed] != [path] and not _is_joined(result, path):
                wrong[f"{pair} {path}"] = differences(result)
        for path in some(trainable(target), at + 1):
            result = compared(pair, source, mutated(target, path))
            if [pair.b.path for pair in result.changed] != [path] or result.differences != {"values"}:
                wrong[f"{pair} target {path}"] = differences(result)
    assert wrong == {}


def _is_joined(result: Diff, path: str) -> bool:
    """Whether one weight changed that is made of several arrays, of which the first names it."""
    return (
        len(result.changed) == 1 and result.differences == {"values"} and path not in {p.a.path for p in result.pairs}
    )


def top_layers(config: Any) -> list[dict[str, Any]]:
    """The configs of the layers of a model, not of those inside of others."""
    inner = config["config"]
    entries = inner if isinstance(inner, list) else inner["layers"]
    return [entry["config"] for entry in entries if isinstance(entry["config"], dict)]


@pytest.mark.parametrize("folder", MODELS)
def test_one_argument_is_a_change(folder: Path, pairs: Conversions) -> None:
    """Another activation of one layer on either side is told as that, by the layer's name."""
    wrong = {}
    for pair in spread(pairs(folder)):
        sides = [opened(pair.source), opened(pair.target)]
        for at, side in enumerate(sides):
            config = copy.deepcopy(side.config)
            layers = top_layers(config) if sides[0].config and sides[1].config else []
            layer = next((config for config in layers if config.get("activation") in ("relu", "tanh", "softmax")), None)
            if layer is not None:
                layer["activation"] = "softsign"
                result = compared(
                    pair, *(replace(side, config=config) if side is original else original for original in sides)
                )
                if {(setting.layer or setting.new_layer).partition("/")[0] for setting in result.settings} != {
                    layer["name"]
                }:
                    wrong[f"{pair} {at} {layer['name']}"] = differences(result)
    assert wrong == {}


def ends_of(config: Any) -> list[Any]:
    """The outputs of a graph, as its config has them; none of a chain."""
    inner = config.get("config") if isinstance(config, dict) else None
    outputs = inner.get("output_layers") if isinstance(inner, dict) else None
    return outputs if isinstance(outputs, list) and outputs and isinstance(outputs[0], list | str) else []


@pytest.mark.parametrize("folder", [case for case in MODELS if case.id in GRAPHS])
def test_one_connection_is_a_change(folder: Path, pairs: Conversions) -> None:
    """Another layer as the output of a graph, on either side, is told as that."""
    wrong, count = {}, 0
    for pair in pairs(folder):
        sides = [opened(pair.source), opened(pair.target)]
        for at, side in enumerate(sides):
            config = copy.deepcopy(side.config)
            if not (ends_of(sides[0].config) and ends_of(sides[1].config)):
                continue
            end = ends_of(config) if isinstance(ends_of(config)[0], str) else ends_of(config)[0]
            end[0] = next(layer["name"] for layer in top_layers(config) if layer["name"] != end[0])
            result, count = (
                compared(pair, *(replace(side, config=config) if side is original else original for original in sides)),
                count + 1,
            )
            if not any(setting.kind == CONNECTION for setting in result.settings):
                wrong[f"{pair} {at}"] = differences(result)
    assert (wrong, count > 0) == ({}, True)
