"""`--cost` of `info` and `ls`: what is printed, for checkpoints and architectures, and what is refused."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

import ckpttool
from ckpttool.render.costs import short
from tests.samples import FIXTURES

NESTED = FIXTURES / "keras3/nested.keras"
ARCHITECTURE = FIXTURES / "keras2.15/mlp.json"


@pytest.mark.parametrize("path", [NESTED, ARCHITECTURE, FIXTURES / "keras1.2/lstm.h5"])
def test_info(path: Path, run: Callable[..., Any]) -> None:
    """The sums are those of the library, in text and in JSON; without the option there are none."""
    cost = ckpttool.cost(path)
    outcome = run("info", path, "--cost")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{cost.macs:,}" in outcome.out
    assert f"{cost.flops:,}" in outcome.out
    shown = json.loads(run("info", path, "--cost", "-o", "json").out)["cost"]
    assert (shown["macs"], shown["flops"], shown["outputs_nbytes"]) == (cost.macs, cost.flops, cost.outputs_nbytes)
    assert (shown["peak_nbytes"], shown["peak_layer"]) == (cost.peak.nbytes, cost.peak.layer)
    assert "cost" not in json.loads(run("info", path, "-o", "json").out)


@pytest.mark.parametrize("path", [NESTED, ARCHITECTURE])
def test_listing(path: Path, run: Callable[..., Any]) -> None:
    """Each layer has its numbers in every output, and the sums stand below."""
    layers = ckpttool.cost(path).by_layer()
    for entry in json.loads(run("ls", path, "--layers", "--cost", "-o", "json").out)["layers"]:
        if entry["layer"] in layers:
            assert entry["cost"]["flops"] == layers[entry["layer"]].flops
    for output in ("text", "markdown"):
        outcome = run("ls", path, "--layers", "--cost", "-o", output)
        assert outcome.code == 0
        assert "FLOPs" in outcome.out
    assert "FLOPs" not in run("ls", path, "--layers").out


def test_numbers_stand_on_the_right(run: Callable[..., Any]) -> None:
    """Numbers of a column end at the same place, so that large ones are seen."""
    lines = run("ls", FIXTURES / "keras3/cnn.keras", "--layers", "--cost").out.splitlines()
    titles = next(line for line in lines if "MACs" in line)
    conv, norm = (next(line for line in lines if f" {name} " in line) for name in ("Conv2D", "BatchNormalization"))
    end = titles.index("MACs") + len("MACs")
    assert (conv[:end].split()[-1], norm[:end].split()[-1]) == ("6,912", "0")
    assert conv.endswith(" KiB") and len(conv) == len(titles)


def test_pages(run: Callable[..., Any]) -> None:
    """Pages have the sums as figures, the layers their own, and an order by them; without --cost there is none."""
    for arguments in (("info", NESTED), ("info", ARCHITECTURE), ("ls", NESTED, "--layers"), ("ls", ARCHITECTURE)):
        outcome = run(*arguments, "--cost", "-o", "html")
        assert (outcome.code, outcome.err) == (0, "")
        assert "<span>of outputs at once</span>" in outcome.out
        assert ('<option value="flops">' in outcome.out) is (arguments[0] == "ls")
        plain = run(*arguments, "-o", "html").out
        assert "multiply-adds" not in plain
        assert "data-flops" not in plain
    assert "MACs ·" in run("report", NESTED).out


def test_spreadsheet(run: Callable[..., Any]) -> None:
    """CSV has the columns of the costs."""
    rows = run("ls", NESTED, "--layers", "--cost", "-o", "csv").out.splitlines()
    assert rows[0].endswith(",calls,macs,flops,outputs_nbytes")
    assert "shared/dense,Dense,2,20,80,2,32,80,32" in rows


def test_depth_adds_up(run: Callable[..., Any]) -> None:
    """A row for all layers of a model has the sum of their costs."""
    rows = json.loads(run("ls", NESTED, "--depth", "1", "--cost", "-o", "json").out)["layers"]
    assert sum(row["cost"]["flops"] for row in rows if "cost" in row) == ckpttool.cost(NESTED).flops


def test_inputs(run: Callable[..., Any]) -> None:
    """A batch of eight costs eight times as much, and the memory of one example is said."""
    outcome = run("info", NESTED, "--cost", "--input", "left=8,4", "--input", "right=8,4")
    assert f"{8 * ckpttool.cost(NESTED).flops:,}" in outcome.out
    assert "for each of 8" in outcome.out
    assert run("info", NESTED, "--cost", "--input", "8,4", "--input", "8,4").out == outcome.out


def test_refusals(run: Callable[..., Any], tmp_path: Path) -> None:
    """Shapes that do not fit, weights alone, and specs have no cost: exit code 2, and a message that says why."""
    spec = tmp_path / "m.spec.json"
    run("spec", NESTED, "-o", spec)
    for args, message in (
        ((NESTED, "--input", "1,4"), "give both"),
        ((NESTED, "--cost", "--input", "1,x"), "expected sizes"),
        ((NESTED, "--cost", "--input", "0,4"), "sizes from 1 on"),
        ((NESTED, "--cost", "--input", "1,,4"), "sizes from 1 on"),
        ((NESTED, "--cost", "--input", "-1,4"), "sizes from 1 on"),
        ((NESTED, "--cost", "--input", "9999999999,4"), "sizes from 1 on"),
        ((NESTED, "--cost", "--input", "2,4", "--input", "3,4"), "different batches"),
        ((NESTED, "--cost", "--input", "1,5", "--input", "1,5"), "does not fit"),
        ((NESTED, "--cost", "--input", "other=1,4"), "left, right"),
        ((FIXTURES / "keras3/mlp.weights.h5", "--cost"), "no architecture"),
        ((FIXTURES / "keras3/mlp.weights.h5", "--cost"), "--arch"),
        ((spec, "--cost"), "a spec lists weights"),
    ):
        outcome = run("info", *args)
        assert outcome.code == 2, args
        assert message in outcome.err


def test_what_is_not_counted_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    """Layers of own classes are named, escaped, and the sums are lower bounds."""
    own = {"class_name": "Mine\x1b", "config": {"name": "mine\x1b[2J", "batch_input_shape": [None, 4]}}
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": [own]}}))
    outcome = run("info", path, "--cost")
    assert outcome.code == 0
    assert "at least 0" in outcome.out
    assert r"mine\x1b[2J (Mine\x1b)" in outcome.out


def test_weights_alone_with_their_model(run: Callable[..., Any]) -> None:
    """--arch names the model of weights alone: they cost what the whole model does."""
    arch = ("--arch", FIXTURES / "keras3/mlp.keras")
    for weights in ("keras3/mlp.weights.h5", "keras3/mlp.h5"):
        outcome = run("info", FIXTURES / weights, "--cost", *arch, "-o", "json")
        whole = run("info", FIXTURES / "keras3/mlp.keras", "--cost", "-o", "json")
        assert (outcome.code, json.loads(outcome.out)["cost"]) == (0, json.loads(whole.out)["cost"])


def test_cost_of_several(run: Callable[..., Any], tmp_path: Path) -> None:
    """The models in a directory have their sums as columns; weights alone stand among them without."""
    for name in ("mlp.keras", "mlp.weights.h5"):
        (tmp_path / name).write_bytes((FIXTURES / "keras3" / name).read_bytes())
    cost = ckpttool.cost(tmp_path / "mlp.keras")
    for output in ("text", "markdown", "html"):
        outcome = run("ls", tmp_path, "--cost", "-o", output)
        assert (outcome.code, outcome.err) == (0, "")
        assert "FLOPs" in outcome.out
        assert f"{cost.flops:,}" in outcome.out
    assert "FLOPs" not in run("ls", tmp_path).out
    checkpoints = json.loads(run("ls", tmp_path, "--cost", "-o", "json").out)["checkpoints"]
    assert ["cost" in checkpoint for checkpoint in checkpoints] == [True, False]


def test_reasons(run: Callable[..., Any], tmp_path: Path) -> None:
    """A layer that is not counted stands with the reason, and so do weights whose memory is not known."""
    layers = [
        {"class_name": "Mine", "config": {"name": "mine", "batch_input_shape": [None, 4]}},
        {"class_name": "Dense", "config": {"name": "last", "units": 2}},
    ]
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    outcome = run("info", path, "--cost")
    assert "1 layer: mine (Mine): no class of Keras: its own code says what it computes" in outcome.out
    assert "1 layer: last (Dense): the shape of its input is not known" in outcome.out
    assert "not known: only its own class knows the weights of mine" in outcome.out
    cost = json.loads(run("info", path, "--cost", "-o", "json").out)["cost"]
    assert set(cost["reasons"]) == set(cost["not_counted"]) == {"mine", "last"}
    assert "not counted: no class of Keras" in run("ls", path, "--layers", "--cost", "-o", "html").out
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers[1:]}}))
    assert "--input gives it" in run("info", path, "--cost").out


def arrays(file: h5py.File) -> list[str]:
    """The paths of the arrays of the model below its group."""
    paths: list[str] = []
    file["model_weights"].visititems(lambda name, item: paths.append(name) if isinstance(item, h5py.Dataset) else None)
    return paths


def gzipped(source: Path, target: Path, **how: Any) -> Path:
    """A copy of an HDF5 file whose arrays of the model are stored in chunks, in a way that h5py takes."""
    shutil.copyfile(source, target)
    with h5py.File(target, "r+") as file:
        group = file["model_weights"]
        for name in arrays(file):
            values = group[name][()].astype(how.get("dtype", "float32"))
            del group[name]
            group.create_dataset(name, data=values, **{"chunks": values.shape, **how})
    return target


def test_stored_weights(run: Callable[..., Any], tmp_path: Path) -> None:
    """Bytes in the file stand beside those in a run where both differ: by dtype, and what they
    take of the file."""
    whole = FIXTURES / "keras2.15/mlp.h5"
    assert "\nstored " not in run("info", whole, "--cost").out
    packed = gzipped(whole, tmp_path / "packed.h5", compression="gzip")
    with h5py.File(packed) as file:
        taken = sum(file[f"model_weights/{path}"].id.get_storage_size() for path in arrays(file))
    cost = ckpttool.cost(packed)
    assert cost.stored is not None
    assert (cost.stored.by_dtype, cost.stored.nbytes, cost.stored.in_file) == ({"float32": 268}, 268, taken)
    assert taken != 268
    line = f"268 B: float32 268 B; they take {taken} B of the file"
    for arguments in (("info",), ("ls", "--layers")):
        assert line in run(*arguments, packed, "--cost").out
    assert line in run("info", packed, "--cost", "-o", "html").out
    shown = json.loads(run("info", packed, "--cost", "-o", "json").out)["cost"]
    assert (shown["parameters_nbytes"], shown["stored_nbytes"]) == ({"float32": 268}, {"float32": 268})
    assert shown["in_file_nbytes"] == taken
    half = gzipped(whole, tmp_path / "half.h5", dtype="float16")
    assert "  134 B: float16 134 B\n" in run("info", half, "--cost").out
    architecture = json.loads(run("info", ARCHITECTURE, "--cost", "-o", "json").out)["cost"]
    assert (architecture["stored_nbytes"], architecture["in_file_nbytes"]) == (None, None)


def test_weights_in_a_deflated_archive(run: Callable[..., Any], tmp_path: Path) -> None:
    """The bytes that weights take of a file are not known where the archive deflates them all as one."""
    packed = tmp_path / "packed.keras"
    with zipfile.ZipFile(FIXTURES / "keras3/mlp.keras") as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name), zipfile.ZIP_DEFLATED)
    line = "float32 268 B; what they take of the file is not known: they lie compressed"
    assert line in run("info", packed, "--cost").out
    shown = json.loads(run("info", packed, "--cost", "-o", "json").out)["cost"]
    assert (shown["stored_nbytes"], shown["in_file_nbytes"]) == ({"float32": 268}, None)


def test_short_numbers() -> None:
    """Three digits and a unit."""
    numbers = {0: "0", 999: "999", 1000: "1 k", 1_234_567: "1.23 M", 999_999: "1 M", 4_089_184_256: "4.09 G"}
    assert {count: short(count) for count in numbers} == numbers
