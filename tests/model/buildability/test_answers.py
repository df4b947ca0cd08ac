"""Whether Keras builds a config: our answers beside Keras's, recorded and live."""

import gzip
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ckpttool.model.buildability import Buildability, buildability_of_h5, buildability_of_json, buildability_of_keras
from tests.corpus import CORPUS, CORPUS_2, FIELD, needs_corpus, needs_corpus_2, needs_field
from tests.model.buildability.configs import Config, configs_in
from tests.samples import FIXTURES

RECORDED = Path(__file__).with_name("recorded_answers.jsonl.gz")

# Mutations that nobody writes and that are not imitated: shapes of strings and nested lists, lists and parts of numbers
# where sizes are meant, indices of a slice that is none, values that fail only where TensorFlow makes a tensor of them,
# models on inputs that lack the axis of values or of time.
NOT_IMITATED = frozenset(
    (
        'gen 37: CustomScaleLayer.scale="concat"[None, 4]',
        "gen 340: EinsumDense[None, None, 4]",
        "gen 343: EinsumDense.lora_rank=[0, 1][None, 6, 4]",
        'gen 344: EinsumDense.lora_rank={"class_name": "L2", "config": {"l2": 0',
        'gen 634: SpectralNormalization.layer={"module": "keras.layers", "class',
        "gen 686: AdaptiveAveragePooling3D.output_size=[[1, 1], [1, 1], [1, 1]]",
        'gen 1521: Reshape.target_shape="sum_over_batch_size"[None, 6, 4]',
        "gen 1522: Reshape.target_shape=[[1, 2]][None, 6, 4]",
        'gen 1526: Reshape.target_shape="count"[None, 6, 6, 4]',
        "gen 1610: ZeroPadding3D.padding=-1[None, 6, 6, 6, 4]",
        "gen 1679: ConvLSTM2D.dilation_rate=[0.1, 0.2][None, 6, 6, 6, 4]",
        "shapes 76: rnncells config/layers/0/config/batch_shape=[None, 4]; laye",
        "shapes 91: sharedm config/layers/2/build_config/input_shape/0=[None, 4",
        "shapes 141: lstm config/layers/0/config/batch_shape=[5, 4]; config/lay",
        "shapes 472: rnncells config/layers/0/config/batch_shape=[None, 5]",
        "shapes 505: rnncells config/layers/0/config/batch_shape=[None, 5]",
        "shapes 548: prelu config/layers/4/build_config/input_shape=[3, 5, 4];",
        "shapes 552: nestdict 2/config/layers/1/config/batch_shape=[None]",
        "shapes 651: nestdict 2/config/layers/1/config/batch_shape=[None]",
        "mut2 2945: retype start=auto",
        "mut2 3489: retype initial_scale=l2",
        "mut2 3855: dup 4",
    )
)


def answer(loader: str, config: Any, training: Any) -> Buildability:
    """Our answer for one of the loaders."""
    if loader == "h5":
        return buildability_of_h5(config, training)
    return buildability_of_keras(config) if loader == "keras" else buildability_of_json(config)


def disagreement(found: Buildability, building: str, compiling: str) -> str:
    """What Keras says otherwise, empty where we agree. Where own objects are needed Keras raises here, without them."""
    live = (not building, not building and not compiling)
    ours = (found.builds, found.compiles)
    if found.unknown and ours > live:
        return ""
    if ours == live:
        return ""
    return f"Keras: {building or compiling or 'builds and compiles'}; ours: {found}"


def recorded() -> Iterator[tuple[Config, str, str]]:
    """The configs that Keras was asked about, and what it said."""
    for line in gzip.decompress(RECORDED.read_bytes()).splitlines():
        value = json.loads(line)
        config = Config(value["name"], value["loader"], value["config"], value["training"])
        yield config, value["building"], value["compiling"]


def test_recorded_answers() -> None:
    """Our answers are those that Keras 3.15 gave for layers on inputs of all shapes, and for mutated configs."""
    count, wrong = 0, []
    for config, building, compiling in recorded():
        count += 1
        found = disagreement(answer(config.loader, config.config, config.training), building, compiling)
        found = "" if config.name in NOT_IMITATED else found
        wrong += [f"{config}: {found}"] if found else []
    assert count > 6000
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:3]}"


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
        said = keras_answers(config.loader, config.config, config.training)
        found = disagreement(answer(config.loader, config.config, config.training), *said)
        wrong += [f"{config}: {found}"] if found else []
    assert count >= least
    assert not wrong, f"{len(wrong)} of {count}: {wrong[:3]}"
