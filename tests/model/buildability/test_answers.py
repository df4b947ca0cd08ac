"""Whether Keras builds a config: our answers beside Keras's, recorded and live."""

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from ckpttool.model.buildability import Buildability, buildability_of_h5, buildability_of_json, buildability_of_keras
from tests.corpus import CORPUS, CORPUS_2, FIELD, needs_corpus, needs_corpus_2, needs_field
from tests.model.buildability.configs import Config, configs_in
from tests.recorded import recorded
from tests.samples import FIXTURES


def answer(loader: str, config: Any, training: Any) -> Buildability:
    """Our answer for one of the loaders."""
    if loader == "h5":
        return buildability_of_h5(config, training)
    return buildability_of_keras(config) if loader == "keras" else buildability_of_json(config)


def disagreement(own: Buildability, building: str, compiling: str) -> str:
    """The answer of Keras where it is another, empty where both agree. Where own objects are needed Keras raises here,
    without them."""
    live = (not building, not building and not compiling)
    ours = (own.builds, own.compiles)
    if own.unknown and ours > live:
        return ""
    if ours == live:
        return ""
    return f"Keras: {building or compiling or 'builds and compiles'}; ours: {own}"


def test_recorded_answers() -> None:
    """Our answers are those that Keras 3.15 gave for layers on inputs of all shapes, and for mutated configs."""
    answers, wrong = recorded("buildability").answers, []
    for question, (building, compiling) in answers.items():
        config = Config.of(question)
        difference = disagreement(answer(config.loader, config.config, config.training), building, compiling)
        wrong += [f"{config}: {difference}"] if difference else []
    assert len(answers) > 6000
    assert not wrong, f"{len(wrong)} of {len(answers)}: {wrong[:3]}"


@pytest.fixture(scope="module")
def keras_answers() -> Any:
    """Live Keras, which answers whether it builds a config."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("keras", minversion="3.15", reason="the oracle is Keras 3.15 itself")
        from tests.model.buildability.live_answers import ask

        yield ask


FOLDERS = [
    pytest.param(FIXTURES, 500, id="fixtures"),
    pytest.param(CORPUS, 30, marks=needs_corpus, id="corpus"),
    pytest.param(CORPUS_2, 10, marks=needs_corpus_2, id="corpus_2"),
    pytest.param(FIELD, 30, marks=needs_field, id="field"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("folder", "least"), FOLDERS)
def test_live_answers(folder: Path, least: int, keras_answers: Any) -> None:
    """Our answer for every config of a real model is that of live Keras, by the loader that Keras has for it."""
    count, wrong = 0, []
    for config in configs_in(folder):
        count += 1
        answers = keras_answers(config.loader, config.config, config.training)
        difference = disagreement(answer(config.loader, config.config, config.training), *answers)
        wrong += [f"{config}: {difference}"] if difference else []
    assert count >= least
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:3]}"
