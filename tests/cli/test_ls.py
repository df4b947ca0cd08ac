"""`ckpttool ls`: every option, exit codes, standard output and error apart."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckpttool.checkpoint import Section
from ckpttool.inspection.listing import SORTS
from ckpttool.render import LISTING_OUTPUTS
from tests.samples import FIXTURES, keras_like

MODEL = FIXTURES / "keras3/mlp.keras"
CNN = FIXTURES / "keras3/cnn.keras"
NESTED = FIXTURES / "keras3/nested.keras"
SHARDED = FIXTURES / "keras3/sharded"


def weights(text: str) -> list[dict[str, Any]]:
    """The weights of a listing in JSON."""
    rows: list[dict[str, Any]] = json.loads(text)["weights"]
    return rows


def test_plain(run: Callable[..., Any]) -> None:
    """A sound checkpoint is exit code 0 with nothing on standard error; the model's weights alone are listed."""
    outcome = run("ls", MODEL)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{MODEL}\n")
    assert "hidden" in outcome.out
    assert outcome.out.endswith("\n")
    assert not outcome.out.endswith("\n\n")
    assert "optimizer/vars" not in outcome.out


@pytest.mark.parametrize("output", sorted(LISTING_OUTPUTS))
def test_outputs(output: str, run: Callable[..., Any]) -> None:
    """Each output can be asked for by its long and its short option."""
    long, brief = run("ls", MODEL, "--output", output), run("ls", MODEL, "-o", output)
    assert (long.code, long.err) == (0, "")
    assert long == brief
    assert "hidden" in long.out


def test_match(run: Callable[..., Any]) -> None:
    """`--match` may be given several times and looks into every section."""
    rows = weights(run("ls", MODEL, "--match", "hidden", "--match", "optimizer/vars/0", "-o", "json").out)
    assert [row["path"] for row in rows if row["section"] == "model"] == ["layers/dense/vars/0", "layers/dense/vars/1"]
    only = weights(run("ls", MODEL, "--match", "*", "-o", "json").out)
    assert len(only) == 4


def test_match_that_matches_nothing(run: Callable[..., Any]) -> None:
    """A glob that matches nothing is exit code 2, and named on standard error."""
    outcome = run("ls", MODEL, "--match", "nothing*", "--match", "neither")
    assert outcome.code == 2
    assert outcome.err == f"error: {MODEL}: nothing matches nothing*, neither\n"


def test_layers(run: Callable[..., Any]) -> None:
    """`--layers` gives one row a layer, weightless ones included."""
    listing = json.loads(run("ls", NESTED, "--layers", "-o", "json").out)
    assert "weights" not in listing
    assert [layer["layer"] for layer in listing["layers"]][:3] == ["left", "shared", "shared/input_layer_2"]


@pytest.mark.parametrize(("depth", "count"), [(1, 6), (2, 12), (3, 15), (99, 15)])
def test_depth(depth: int, count: int, run: Callable[..., Any]) -> None:
    """`--depth` gathers layers by the first names of their chain, in every output, and loses no parameter."""
    layers = json.loads(run("ls", NESTED, "--layers", "--depth", depth, "-o", "json").out)["layers"]
    assert len(layers) == count
    assert sum(layer["params"] for layer in layers) == 110
    alone = json.loads(run("ls", NESTED, "--depth", depth, "-o", "json").out)
    assert alone.get("layers") == layers
    records = list(csv.DictReader(io.StringIO(run("ls", NESTED, "--layers", "--depth", depth, "-o", "csv").out)))
    assert [record["layer"] for record in records] == [layer["layer"] for layer in layers]


def test_connections_of_layers_in_models(run: Callable[..., Any]) -> None:
    """The inputs of a layer in a model are named by their paths, as listed: a name alone can be of several models."""
    layers = json.loads(run("ls", FIXTURES / "keras3/nested.keras", "--layers", "-o", "json").out)["layers"]
    paths = {layer["layer"] for layer in layers}
    taken = {name for layer in layers for name, _, _ in layer["inbound"] or []}
    assert taken
    assert {name for name in taken if "/" in name}
    models = {path.rpartition("/")[0] for path in paths}
    assert taken <= paths | models


def test_tree(run: Callable[..., Any]) -> None:
    """`--tree` shows each layer below what holds it."""
    lines = run("ls", NESTED, "--tree").out.splitlines()
    assert "├─ block (Sequential)" in lines
    assert "│  ├─ core (Functional)" in lines
    assert any(line.startswith("│  │  ├─ core_in (Dense, frozen)") for line in lines)


@pytest.mark.parametrize(
    ("sections", "counts"),
    [
        ([], {"model": 4}),
        (["model"], {"model": 4}),
        (["optimizer"], {"optimizer": 9}),
        (["metrics", "optimizer"], {"metrics": 4, "optimizer": 9}),
        (["all"], {"model": 4, "metrics": 4, "optimizer": 9}),
        (["other"], {}),
    ],
)
def test_section(sections: list[str], counts: dict[str, int], run: Callable[..., Any]) -> None:
    """`--section` chooses, may be given several times, and leaves the totals whole."""
    path = FIXTURES / "keras2.15/mlp.keras"
    outcome = run("ls", path, *(word for section in sections for word in ("--section", section)), "-o", "json")
    assert outcome.code == 0
    listed = [row["section"] for row in weights(outcome.out)]
    assert {section: listed.count(section) for section in listed} == counts
    assert set(json.loads(outcome.out)["totals"]) == {"model", "metrics", "optimizer"}
    assert {section.value for section in Section} >= set(listed)


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_sort(sort: str, run: Callable[..., Any]) -> None:
    """`--sort` takes every order there is."""
    rows = weights(run("ls", MODEL, "--sort", sort, "-o", "json").out)
    keys: dict[str, Any] = {
        "stored": lambda row: 0,
        "name": lambda row: (row["layer"], row["weight"]),
        "size": lambda row: -row["nbytes"],
        "params": lambda row: -row["params"],
    }
    assert rows == sorted(rows, key=keys[sort])


def test_sorted_text_keeps_its_order(run: Callable[..., Any]) -> None:
    """Rows sorted by size are printed in that order, not by layer again."""
    lines = run("ls", MODEL, "--sort", "size").out.splitlines()[5:9]
    assert [line.split()[-2] for line in lines] == ["128", "96", "32", "12"]


def test_sorted_markdown_keeps_its_order(run: Callable[..., Any]) -> None:
    """A Markdown table has the same rows in the same order as the text."""
    table = [line for line in run("ls", CNN, "--sort", "size", "-o", "markdown").out.splitlines() if line[:1] == "|"]
    rows = weights(run("ls", CNN, "--sort", "size", "-o", "json").out)
    assert [line.split("|")[6].strip() for line in table[2:]] == [f"{row['params']:,}" for row in rows]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--layers", "--stats"), "--layers, --depth and --tree do not show"),
        (("--depth", "1", "--sha256", "-o", "csv"), "--layers, --depth and --tree do not show"),
        (("--tree", "--stats"), "--layers, --depth and --tree do not show"),
        (("--watch", "-o", "html"), "--watch follows one directory"),
    ],
)
def test_options_that_would_do_nothing(options: tuple[str, ...], reason: str, run: Callable[..., Any]) -> None:
    """They are refused, rather than dropped without a word."""
    done = run("ls", MODEL, *options)
    assert (done.code, done.out) == (2, "")
    assert reason in done.err


def test_watch_of_a_page(tmp_path: Path, run: Callable[..., Any]) -> None:
    """One page after another would be no page."""
    done = run("ls", tmp_path, "--watch", "-o", "html")
    assert (done.code, done.out) == (2, "")
    assert "html is one page" in done.err


def test_stats_and_sha256(run: Callable[..., Any]) -> None:
    """`--stats` and `--sha256` add what they say, and only then."""
    row = weights(run("ls", MODEL, "-o", "json").out)[0]
    assert not {"stats", "sha256"} & row.keys()
    row = weights(run("ls", MODEL, "--stats", "--sha256", "-o", "json").out)[0]
    assert row["stats"].keys() == {"min", "max", "mean", "std", "zeros", "nan", "inf"}
    assert len(row["sha256"]) == 64
    header = run("ls", MODEL, "--stats", "--sha256").out.splitlines()[3]
    assert header.split()[-8:] == ["min", "max", "mean", "std", "zeros", "NaN", "Inf", "sha256"]


def test_several(run: Callable[..., Any]) -> None:
    """Several paths give one line each; a bad one is told and makes the exit code 2, the others are shown."""
    bad = FIXTURES / "broken/empty.h5"
    outcome = run("ls", MODEL, bad, NESTED)
    assert outcome.code == 2
    assert [str(path) in outcome.out for path in (MODEL, bad, NESTED)] == [True] * 3
    assert outcome.err.startswith(f"error: {bad}: is empty")
    assert run("ls", MODEL, NESTED).code == 0
    listing = json.loads(run("ls", MODEL, bad, "-o", "json").out)
    assert listing["schema"] == "ckpttool.listings/1"
    assert [("error" in entry, entry["path"]) for entry in listing["checkpoints"]] == [
        (False, str(MODEL)),
        (True, str(bad)),
    ]
    assert listing["checkpoints"][0]["weights"]


def test_one_and_the_same_twice(run: Callable[..., Any]) -> None:
    """A path given twice is shown twice."""
    assert len(json.loads(run("ls", MODEL, MODEL, "-o", "json").out)["checkpoints"]) == 2


def test_directory(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A directory gives a line for each checkpoint in it: no shard, no other file, none further down."""
    shutil.copytree(SHARDED, tmp_path, dirs_exist_ok=True)
    shutil.copytree(FIXTURES / "keras3/mlp_dir", tmp_path / "unzipped")
    shutil.copy(MODEL, tmp_path / "b.KERAS")
    shutil.copy(FIXTURES / "keras3/mlp.h5", tmp_path / "a.hdf5")
    shutil.copy(FIXTURES / "keras3/mlp.weights.h5", tmp_path / "alone_00000.weights.h5")
    (tmp_path / "notes.txt").write_text("no checkpoint")
    (tmp_path / "below").mkdir()
    shutil.copy(MODEL, tmp_path / "below" / "c.keras")
    outcome = run("ls", tmp_path, "-o", "json")
    assert (outcome.code, outcome.err) == (0, "")
    names = [Path(entry["path"]).name for entry in json.loads(outcome.out)["checkpoints"]]
    assert names == ["a.hdf5", "alone_00000.weights.h5", "b.KERAS", "sharded.weights.json", "unzipped"]
    alone = run("ls", tmp_path / "unzipped", "-o", "json")
    assert json.loads(alone.out)["kind"] == "keras-dir"


def test_directory_of_one(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A directory of one checkpoint is still several in form, so that scripts can rely on it."""
    shutil.copy(MODEL, tmp_path / "m.keras")
    assert json.loads(run("ls", tmp_path, "-o", "json").out)["schema"] == "ckpttool.listings/1"


def test_directory_of_none(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A directory without a checkpoint is exit code 2, and says what was looked for."""
    outcome = run("ls", tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {tmp_path}: holds no checkpoint")
    assert ".weights.h5" in outcome.err


def test_foreign_hdf5(run: Callable[..., Any]) -> None:
    """HDF5 of others is listed, said to be none of Keras's, and no success."""
    outcome = run("ls", FIXTURES / "broken/plain.h5")
    assert outcome.code == 2
    assert "winners" in outcome.out
    assert "no Keras checkpoint" in outcome.err


def test_warnings(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Parts that were not read are named on standard error, escaped, and the listing is still a success."""
    path = keras_like(tmp_path / "m.h5", config=b"{", metadata=b'{"keras_version": "\\u001b[2J"}')
    outcome = run("ls", path)
    assert outcome.code == 0
    lines = outcome.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"warning: {path}: ") for line in lines)
    assert "\x1b" not in outcome.out + outcome.err


def test_many_warnings_are_cut(tmp_path: Path, run: Callable[..., Any]) -> None:
    """Of many warnings twenty are told, and how many more there are."""
    from tests.samples import members, zipped

    extra = {f"{number}.py": b"" for number in range(30)}
    outcome = run("ls", zipped(tmp_path / "m.keras", {**members("keras3.0/mlp.keras"), **extra}))
    assert len(outcome.err.splitlines()) == 21
    assert "and 10 more" in outcome.err.splitlines()[-1]


def test_unreadable_values(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A weight whose values cannot be read is listed with the reason, and the others with their numbers."""
    import h5py

    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/a/vars/0"] = [1.0, 2.0]
        file.create_dataset("layers/b/vars/0", (3,), "f4", external=[("elsewhere.bin", 0, 12)])
    outcome = run("ls", path, "--stats", "-o", "json")
    first, second = weights(outcome.out)
    assert first["stats"]["max"] == 2
    assert "another file" in second["problem"]
    assert "stats" not in second
    assert "another file" in outcome.err


@pytest.mark.parametrize(
    ("args", "environment", "colored"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {}, False),
    ],
)
def test_color(
    args: list[str],
    environment: dict[str, str],
    colored: bool,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Output to a file is plain, unless colour is asked for."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in run("ls", MODEL, *args).out) is colored


@pytest.mark.parametrize(("no_color", "colored"), [(None, True), ("", True), ("1", False)])
def test_color_on_a_terminal(no_color: str | None, colored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is colour, unless NO_COLOR is set to something."""
    import sys

    from ckpttool.cli.emit import wants_color

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert wants_color("auto") is colored
    assert wants_color("never") is False


RUN = FIXTURES / "run"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A directory in which the callback has saved four files."""
    shutil.copytree(RUN, tmp_path / "run")
    return tmp_path / "run"


def test_what_the_callback_saved(saved: Path, run: Callable[..., Any]) -> None:
    """Oldest first, with epoch, step and metric, the best marked; what the manifest does not know comes last."""
    shutil.copy(MODEL, saved / "a.keras")
    outcome = run("ls", saved, "-o", "csv")
    assert (outcome.code, outcome.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    assert [Path(row["checkpoint"]).name for row in rows] == ["epoch_02.weights.h5", "epoch_03.weights.h5", "a.keras"]
    assert [(row["epoch"], row["step"], row["monitor"], row["best"]) for row in rows] == [
        ("2", "8", "val_loss", "True"),
        ("3", "12", "val_loss", "False"),
        ("", "", "", ""),
    ]
    records = [checkpoint.get("saved") for checkpoint in json.loads(run("ls", saved, "-o", "json").out)["checkpoints"]]
    assert [entry and entry["epoch"] for entry in records] == [2, 3, None]
    assert records[0]["logs"]["val_loss"] == records[0]["value"]


@pytest.mark.parametrize(("harm", "reason"), [("missing", "missing"), ("altered", "altered: another checksum")])
def test_damage(harm: str, reason: str, saved: Path, run: Callable[..., Any]) -> None:
    """A file that is not as it was saved is named, in every output, and makes the exit code 2."""
    path, other = saved / "epoch_02.weights.h5", saved / "epoch_03.weights.h5"
    path.unlink()
    if harm == "altered":
        path.write_bytes(other.read_bytes())
    outcome = run("ls", saved)
    assert (outcome.code, outcome.err) == (2, f"error: {path}: {reason}\n")
    assert reason in outcome.out.splitlines()[2]
    checkpoints = json.loads(run("ls", saved, "-o", "json").out)["checkpoints"]
    assert [entry["saved"]["damage"] for entry in checkpoints] == [reason, None]
    assert reason in run("ls", saved, "-o", "markdown").out


def test_a_manifest_that_is_none(saved: Path, run: Callable[..., Any]) -> None:
    """Then the files are listed without it, and the exit code is 2."""
    (saved / "checkpoints.json").write_text("[]")
    outcome = run("ls", saved)
    assert outcome.code == 2
    assert "is not a list of checkpoints" in outcome.err
    assert "epoch_03.weights.h5" in outcome.out
