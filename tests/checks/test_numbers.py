"""Rules of numbers: what the bits of values tell, one pass, and when each rule speaks."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest

import ckpttool
from ckpttool.checks.numbers import value_scan
from ckpttool.checks.numbers.bits import LAYOUTS, bounds_of, value_of
from ckpttool.checks.numbers.roles import _stored_name
from ckpttool.checks.numbers.value_scan import scan
from ckpttool.checks.policy import EVERYTHING, Policy
from ckpttool.checks.requirements import Thresholds
from ckpttool.checks.rule import Severity
from ckpttool.checks.runner import check_file
from ckpttool.errors import UnsupportedError
from ckpttool.io.dtypes import DTYPES
from tests.checks.files import PLACES, SOURCES, Array, codes, copied, edited, findings, stored_at
from tests.comparison.plain import numpy_dtype, weight
from tests.loops import for_each
from tests.samples import FIXTURES, members

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of TensorFlow

FLOATS = [name for name, layout in LAYOUTS.items() if layout.special is not None]
WHOLE = [name for name, layout in LAYOUTS.items() if layout.special is None]


def bits(dtype: str, kind: str, seed: int) -> Array:
    """Values of a dtype with bits of a kind: any at all, of one sign, small, zeros, or all the same."""
    random, width = np.random.default_rng(seed), LAYOUTS[dtype].width
    count, half = 2 * int(random.integers(1, 200)), 1 << (8 * width - 1)
    anything = random.integers(0, 2 * half - 1, count, np.uint64, endpoint=True)
    low = random.integers(0, 3 * max(1, LAYOUTS[dtype].normal), count, np.uint64) % half
    kinds = {
        "any": anything,
        "positive": anything % half,
        "negative": anything % half + half,
        "small": low + half * random.integers(0, 2, count).astype(np.uint64),
        "zeros": half * random.integers(0, 2, count).astype(np.uint64),
        "constant": np.full(count, anything[0]),
    }
    return kinds[kind].astype(f"u{width}").view(numpy_dtype(dtype))


def parts(values: Array) -> Array:
    """The numbers among values: a complex one is two."""
    return values.view(values.real.dtype) if values.dtype.kind == "c" else values


@pytest.mark.parametrize("kind", ["any", "positive", "negative", "small", "zeros", "constant"])
@pytest.mark.parametrize("dtype", FLOATS)
@for_each(range(12))
def test_bounds_of_floats(seed: int, dtype: str, kind: str) -> None:
    """Counts and extremes are those that NumPy finds value by value."""
    stored, layout = bits(dtype, kind, seed), LAYOUTS[dtype]
    reported, values = bounds_of(stored.tobytes(), layout), parts(stored)
    least_normal = float(ml_dtypes.finfo(values.dtype).smallest_normal)
    with np.errstate(all="ignore"):
        wide = values.astype(np.float64)
        assert reported.nan == np.isnan(wide).sum()
        assert reported.infinite == np.isinf(wide).sum()
        assert reported.denormal == ((wide != 0) & (np.abs(wide) < least_normal)).sum()
    assert reported.is_constant == (len({value.tobytes() for value in values}) == 1)
    assert reported.is_zero(layout) == bool((wide == 0).all())
    assert reported.is_finite == bool(np.isfinite(wide).all())
    if reported.is_finite:
        assert value_of(reported.largest(layout), dtype, layout) == np.abs(wide).max()
        assert value_of(reported.smallest(layout), dtype, layout) == np.abs(wide).min()
        assert reported.lowest(dtype, layout) == wide.min()


@pytest.mark.parametrize("kind", ["any", "constant", "zeros"])
@pytest.mark.parametrize("dtype", WHOLE)
def test_bounds_of_whole_numbers(dtype: str, kind: str) -> None:
    """Of whole numbers it is told whether they are all the same, and whether all zero."""
    raw = np.zeros(10, dtype) if kind == "zeros" else bits(dtype, kind, 1)
    stored = (raw % 2 if dtype == "bool" else raw).astype(dtype)
    reported = bounds_of(stored.tobytes(), LAYOUTS[dtype])
    assert reported.is_constant == (len({value.tobytes() for value in stored}) == 1)
    assert reported.is_zero(LAYOUTS[dtype]) == (not stored.view(f"u{stored.itemsize}").any())


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_the_lowest_whole_number(dtype: str) -> None:
    """The lowest number of a signed dtype has the bits of a negative zero, and is none."""
    lowest = np.array([np.iinfo(dtype).min, 0], dtype)
    assert not bounds_of(lowest.tobytes(), LAYOUTS[dtype]).is_zero(LAYOUTS[dtype])


def test_every_dtype_has_a_layout() -> None:
    """Every dtype that is read has a layout of the same width."""
    assert set(LAYOUTS) == set(DTYPES)
    for name, (width, _) in DTYPES.items():
        assert LAYOUTS[name].width == width // (2 if name.startswith("complex") else 1)


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_a_weight_in_parts(dtype: str, big_endian: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in blocks, and by several threads, a weight is judged as one read at once; every byte is told of once."""
    stored = np.concatenate([bits(dtype, kind, 3) for kind in ("any", "small", "positive", "zeros")] * 9)
    whole, read = weight(stored, big_endian), list[int]()
    expected = scan(whole, read.append)
    monkeypatch.setattr(value_scan, "_BLOCK", 48)
    monkeypatch.setattr(value_scan, "_RUN", 1000)
    assert scan(whole, read.append) == expected
    assert sum(read) == 2 * whole.nbytes
    assert len(read) > 2


def test_values_are_read_once() -> None:
    """All rules together read every byte of a sound checkpoint once."""
    path, read = FIXTURES / "keras3/wrappers.keras", list[int]()
    check_file(str(path), Policy(select=("N",)), read.append)
    with ckpttool.open(path) as checkpoint:
        assert sum(read) == sum(weight.nbytes for weight in checkpoint.values())


def put(value: float, at: int = 0) -> Callable[[Array], Array]:
    """An edit that sets one value."""

    def edit(values: Array) -> Array:
        values.reshape(-1)[at] = value
        return values

    return edit


def filled(value: float) -> Callable[[Array], Array]:
    """An edit that sets all values."""
    return lambda values: np.full_like(values, value)


SPOILED: dict[str, tuple[str, Callable[[Array], Array], set[str]]] = {
    "nan": ("conv2d/kernel", put(np.nan, 3), {"N101"}),
    "nan in a bias": ("conv2d/bias", put(np.nan), {"N101"}),
    "nan in a statistic": ("norm/moving_mean", put(-np.nan), {"N101"}),
    "nan in a variance": ("norm/moving_variance", put(np.nan), {"N101"}),
    "infinity": ("score/kernel", put(np.inf), {"N102"}),
    "negative infinity": ("norm/beta", put(-np.inf), {"N102"}),
    "zero kernel": ("conv2d/kernel", filled(0), {"N103"}),
    "kernel of negative zeros": ("conv2d/kernel", filled(-0.0), {"N103"}),
    "zero bias": ("conv2d/bias", filled(0), set()),
    "constant kernel": ("score/kernel", filled(0.25), {"N104"}),
    "constant gamma": ("norm/gamma", filled(1), set()),
    "fresh statistics": ("norm/moving_mean", filled(0), set()),
    "fresh variance": ("norm/moving_variance", filled(1), set()),
    "negative variance": ("norm/moving_variance", put(-0.5), {"N105"}),
    "zero variance": ("norm/moving_variance", put(0), {"N106"}),
    "tiny variance": ("norm/moving_variance", put(1e-20), {"N106"}),
    "dead and negative": ("norm/moving_variance", lambda v: np.array([-1e-3, 0, 1, 1], v.dtype), {"N105", "N106"}),
    "huge kernel": ("stem/kernel", put(-3e7), {"N107"}),
    "huge bias": ("score/bias", put(2e6), {"N107"}),
    "huge mean": ("norm/moving_mean", put(2e6), set()),
    "huge variance": ("norm/moving_variance", put(2e12), set()),
    "denormals": ("conv2d/kernel", lambda v: np.where(np.arange(v.size).reshape(v.shape) % 3, v, 1e-40), {"N109"}),
    "one denormal": ("conv2d/kernel", put(1e-40), set()),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("case", SPOILED)
def test_rules(case: str, source: str, tmp_path: Path) -> None:
    """Each rule speaks of the weight that is spoiled, and of no other, whatever tells what the weight is for."""
    name, edit, expected = SPOILED[case]
    place = stored_at(source, name)
    path = edited(copied(tmp_path, source), {place: edit})
    assert findings(path, "N") == sorted((code, place) for code in expected)


@pytest.mark.parametrize("source", SOURCES)
def test_the_untouched_model(source: str, tmp_path: Path) -> None:
    """Nothing is found in the model that the cases above spoil, and every weight that they name is there."""
    path = copied(tmp_path, source)
    assert not findings(path, "N")
    with ckpttool.open(path) as checkpoint:
        assert {stored_at(source, name) for name in PLACES} <= set(checkpoint)


def policy(**thresholds: Any) -> Policy:
    """A policy with other thresholds."""
    return replace(EVERYTHING, thresholds=Thresholds(**thresholds))


def duplicated(path: Path, source: str) -> Path:
    """The file with one kernel copied over another of its shape."""
    with h5py.File(path, "r+") as file:
        kernel = file[stored_at(source, "conv2d/kernel")][()]
        bias = file[stored_at(source, "conv2d/bias")][()]
        file[stored_at(source, "norm/beta")][...] = bias
        place = stored_at(source, "stem/kernel")
        del file[place]
        file[place] = kernel
    return path


@pytest.mark.parametrize("source", SOURCES)
def test_duplicates(source: str, tmp_path: Path) -> None:
    """A kernel that is another's is told; weights of one axis may be alike, and so may kernels without any content."""
    path = duplicated(copied(tmp_path, source), source)
    reported = findings(path, "N", policy(smallest_duplicate=1))
    assert [code for code, _ in reported] == ["N108"]
    edited(path, {stored_at(source, name): filled(0) for name in ("stem/kernel", "conv2d/kernel")})
    assert codes(path, "N") == {"N103"}


def test_thresholds(tmp_path: Path) -> None:
    """Every threshold moves its rule, and a value just at it passes."""
    kernel, variance = stored_at("slots", "conv2d/kernel"), stored_at("slots", "norm/moving_variance")
    path = edited(copied(tmp_path, "slots"), {kernel: put(1e-40), variance: put(0.125)})
    cases = (
        ({"denormal_share": 1 / 144}, set()),
        ({"denormal_share": 0.9 / 144}, {"N109"}),
        ({"tiny_variance": 0.125}, set()),
        ({"tiny_variance": 0.1251}, {"N106"}),
        ({"huge": 1e-3}, {"N107"}),
    )
    for thresholds, expected in cases:
        assert codes(path, "N", policy(**thresholds)) == expected, thresholds
    edited(path, {kernel: filled(2)})
    assert codes(path, "N", policy(smallest_kernel=145)) == set()
    assert codes(path, "N", policy(smallest_kernel=144)) == {"N104"}
    twice = duplicated(copied(tmp_path, "slots"), "slots")
    assert codes(twice, "N", policy(smallest_duplicate=145)) == set()
    assert codes(twice, "N", policy(smallest_duplicate=144)) == {"N108"}


@pytest.mark.parametrize("name", ["keras3/mlp.h5", "resume/keras2.15/old_adam.h5", "resume/keras1.2/momentum.h5"])
def test_the_optimizer(name: str, tmp_path: Path) -> None:
    """NaN in the state of the optimizer is told; zeros, denormals and equal values there are as it begins."""
    path = Path(shutil.copy(FIXTURES / name, tmp_path))
    with ckpttool.open(path) as checkpoint:
        state = [weight.path for weight in checkpoint.section(ckpttool.Section.OPTIMIZER) if len(weight.shape) == 2]
    for value in (0, 1e-40, 3e9):
        edited(path, dict.fromkeys(state, filled(value)))
        assert codes(path, "N") == set()
    edited(path, {state[0]: put(np.nan)})
    assert findings(path, "N") == [("N101", state[0])]


@pytest.mark.parametrize(
    ("stored", "slot"),
    [
        ("dense_1/kernel:0", "kernel"),
        ("norm/moving_variance:0", "moving_variance"),
        ("bn_moving_variance", "moving_variance"),
        ("batchnormalization_2_running_std", "running_std"),
        ("batchnormalization_2_running_mean:0", "running_mean"),
        ("dense_1_W:0", "W"),
        ("lstm_1_U_i", "U"),
        ("lstm_1_b_i", "lstm_1_b_i"),
        ("conv/depthwise_kernel:0", "depthwise_kernel"),
        ("scope/dense/bias:0", "bias"),
    ],
)
def test_stored_names(stored: str, slot: str) -> None:
    """The names of weights of all generations tell the slot, as far as it matters."""
    assert _stored_name(stored) == slot


def test_weights_known_by_number(tmp_path: Path) -> None:
    """The first weight of a layer is taken for its kernel where it has axes enough, and nothing tells better."""
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/mine/vars/0"] = np.zeros((3, 4), "float32")
        file["layers/mine/vars/1"] = np.zeros((3, 4), "float32")
        file["layers/mine_1/vars/0"] = np.zeros(12, "float32")
    assert findings(path, "N") == [("N103", "layers/mine/vars/0")]
    old = Path(shutil.copy(FIXTURES / "keras0.3/mlp_weights.hdf5", tmp_path))
    with ckpttool.open(old) as checkpoint:
        first = next(iter(checkpoint))
    assert first.endswith("/param_0")
    assert findings(edited(old, {first: filled(0)}), "N") == [("N103", first)]


def test_data_that_is_no_checkpoint(tmp_path: Path) -> None:
    """Arrays of other HDF5 files may hold what they like."""
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["measured"] = np.full(9, np.nan)
    assert not codes(path, "N")


def test_dtypes_that_the_config_asks_for(tmp_path: Path) -> None:
    """Several dtypes are told where no config asks for them; kernels of int8 and their scales are no mix."""
    assert codes(FIXTURES / "keras3/bfloat16.weights.h5", "N") == {"N110"}
    for name in ("mixed_float16", "int8", "int4"):
        assert codes(FIXTURES / f"keras3/{name}.keras", "N") == set()
        bare = tmp_path / f"{name}.weights.h5"
        bare.write_bytes(members(f"keras3/{name}.keras")["model.weights.h5"])
        assert codes(bare, "N") == set()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A weight whose values cannot be read is said to be unchecked, and the others are judged."""
    path = copied(tmp_path, "names")
    with h5py.File(path, "r+") as file:
        place = stored_at("names", "conv2d/kernel")
        del file[place]
        file.create_dataset(place, data=np.zeros((3, 3, 4, 4), "S3"))
        file[stored_at("names", "conv2d/bias")][0] = np.nan
    report = check_file(str(path))
    assert [finding for finding in report.unchecked if place in finding]
    assert {"I103", "N101"} <= {finding.rule.code for finding in report.findings}


def test_values_of_absurd_width() -> None:
    """Values of a type that is not known are unreadable, however wide they are."""
    strange = replace(weight(np.zeros(2, "float32")), dtype="opaque of 4,000,000,000 bytes", nbytes=8_000_000_000)
    with pytest.raises(UnsupportedError):
        scan(strange, print)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of many layers as Keras initializes it, in every layout."""
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    keras = pytest.importorskip("keras", minversion="3.15")

    layers = keras.layers
    keras.utils.set_random_seed(5)
    image, text = keras.Input((16, 16, 3), name="image"), keras.Input((6,), name="text", dtype="int32")
    x = layers.Conv2D(8, 3)(image)
    for layer in (
        *(layers.BatchNormalization(), layers.PReLU(), layers.SeparableConv2D(8, 3), layers.GroupNormalization(4)),
        *(layers.DepthwiseConv2D(3), layers.SpectralNormalization(layers.Conv2D(8, 3)), layers.LayerNormalization()),
        *(layers.Conv2D(8, 1, kernel_initializer="zeros"), layers.Dropout(0.1), layers.GlobalAveragePooling2D()),
    ):
        x = layer(x)
    y = layers.Embedding(50, 12)(text)
    y = layers.MultiHeadAttention(2, 6)(y, y)
    y = layers.EinsumDense("abc,cd->abd", output_shape=(None, 8), bias_axes="d")(y)
    y = layers.Bidirectional(layers.GRU(5, return_sequences=True))(y)
    y = layers.LSTM(7)(y)
    model = keras.Model([image, text], layers.Dense(3, dtype="float64")(layers.Concatenate()([x, y])))
    model.compile("adam", "mse")
    directory = tmp_path_factory.mktemp("fresh")
    names = ("fresh.keras", "fresh.h5", "fresh.weights.h5", "fresh_weights.h5")
    for name in names[:2]:
        model.save(directory / name)
    model.save_weights(directory / names[2])
    with h5py.File(directory / names[1]) as whole, h5py.File(directory / names[3], "w") as bare:
        for key in whole["model_weights"]:
            whole.copy(f"model_weights/{key}", bare)
        bare.attrs.update(whole["model_weights"].attrs)
    return {name: directory / name for name in names}


@pytest.mark.parametrize("name", ["fresh.keras", "fresh.h5"])
def test_a_fresh_model(name: str, fresh: dict[str, Path]) -> None:
    """A fresh model has no alarm: its config has one kernel begin with zeros, and one layer be of float64."""
    report = check_file(str(fresh[name]))
    others = [
        finding for finding in report.findings if finding.rule.code != "P102"
    ]  # Keras 3 does not compile its own .h5
    assert [
        finding for finding in others if finding.rule.severity >= Severity.WARNING or finding.rule.code[0] == "N"
    ] == []
    assert not report.unchecked


@pytest.mark.parametrize("name", ["fresh.weights.h5", "fresh_weights.h5"])
def test_fresh_weights(name: str, fresh: dict[str, Path]) -> None:
    """Without a config, the kernel of zeros and the mix of dtypes are told, and nothing else."""
    reported = findings(fresh[name], "N")
    assert [code for code, _ in reported] == ["N103", "N110"]
