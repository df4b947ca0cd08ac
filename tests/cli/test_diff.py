"""`ckpttool diff`: options, exit codes, standard output and error apart."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.render import DIFF_OUTPUTS
from tests.samples import FIXTURES, keras_like

MLP = FIXTURES / "keras3/mlp.keras"
LEGACY = FIXTURES / "keras3/mlp.h5"
CNN = FIXTURES / "keras3/cnn.keras"


def changed(path: Path, change: Callable[[h5py.File], None], source: str = "keras3/cnn.h5") -> Path:
    """A copy of a fixture with something changed in it."""
    path.write_bytes((FIXTURES / source).read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def tuned(file: h5py.File) -> None:
    """Other values in the last layer, one NaN among them."""
    kernel = file["model_weights/score/score/kernel"]
    kernel[...] = kernel[()] * 1.5
    bias = file["model_weights/score/score/bias"]
    bias[0] = np.nan


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A model, and the same with its last layer trained on."""
    return FIXTURES / "keras3/cnn.h5", changed(tmp_path / "tuned.h5", tuned)


def test_the_same(run: Callable[..., Any]) -> None:
    """Two formats of one model are exit code 0."""
    outcome = run("diff", MLP, LEGACY)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("the same: 4 weights compared, all the same\n")


@pytest.mark.parametrize("output", sorted(DIFF_OUTPUTS))
def test_outputs(output: str, pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """Each output tells what changed, and how much, by its long and its short option."""
    outcome = run("diff", *pair, "--output", output)
    assert outcome == run("diff", *pair, "-o", output)
    assert outcome.code == 1
    if output == "html":  # where layer and weight stand apart
        assert "<b>score</b>" in outcome.out
        assert ">kernel</b>" in outcome.out
        assert "<dd>0.5</dd>" in outcome.out
        return
    assert "score/kernel" in outcome.out.replace("\\", "") or json.loads(outcome.out)["weights"]
    assert "0.5" in outcome.out


def test_most_changed_first(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """The most changed weight comes first; `--top` leaves out the others and says how many."""
    result = json.loads(run("diff", *pair, "-o", "json").out)
    assert [weight["a"]["layer"] for weight in result["weights"]][:2] == ["score", "score"]
    outcome = run("diff", *pair, "--top", 1)
    assert "score/kernel" in outcome.out
    assert "score/bias" not in outcome.out
    assert "and 1 more that changed less" in outcome.out


def test_by_layer(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """`--layers` gives one row a layer."""
    result = json.loads(run("diff", *pair, "--layers", "-o", "json").out)
    assert result["layers"][0]["a"] == "score"
    assert result["layers"][0]["weights"] == 2
    assert result["layers"][0]["nan_gained"] == 1
    assert "weights" not in result


def test_quiet(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """`-q` prints nothing; the exit code tells."""
    assert (run("diff", *pair, "-q").code, run("diff", *pair, "-q").out) == (1, "")
    assert (run("diff", MLP, MLP, "--quiet").code, run("diff", MLP, MLP, "-q").out) == (0, "")


def test_expectations(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """Expectations alone decide where they are given: exit code 1 says which broke, and why."""
    met = run("diff", *pair, "--expect-frozen", "stem", "--expect-frozen", "norm/*", "--expect-changed", "score")
    assert (met.code, met.err) == (0, "")
    outcome = run("diff", *pair, "--expect-frozen", "s*", "--expect-changed", "norm/gamma")
    assert outcome.code == 1
    lines = outcome.err.splitlines()
    assert len(lines) == 3
    assert any("expected 's*' to be frozen: score/kernel is changed, relative 0.5" in line for line in lines)
    assert any("expected 'norm/gamma' to be changed: norm/gamma is unchanged" in line for line in lines)
    assert run("diff", *pair, "--expect-frozen", "stem", "--fail-on", "values").code == 1


def test_an_expectation_of_nothing(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """A glob that matches no weight checks nothing: exit code 2."""
    outcome = run("diff", *pair, "--expect-frozen", "backbone/*")
    assert outcome.code == 2
    assert "no weight matches 'backbone/*'" in outcome.err


@pytest.mark.parametrize(
    ("parts", "code"),
    [("values", 1), ("structure", 0), ("config", 0), ("structure,config", 0), ("config, values", 1), ("nothing", 0)],
)
def test_fail_on(parts: str, code: int, pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """`--fail-on` chooses what exit code 1 is for; all is told all the same."""
    outcome = run("diff", *pair, "--fail-on", parts)
    assert outcome.code == code
    assert "score/kernel" in outcome.out


def test_tolerances(tmp_path: Path, run: Callable[..., Any]) -> None:
    """`--rtol` and `--atol` allow small differences, `--equal-nan` other bits of NaN."""

    def nudge(file: h5py.File) -> None:
        kernel = file["model_weights/score/score/kernel"]
        kernel[...] = np.nextafter(kernel[()], np.float32(9))

    near = changed(tmp_path / "near.h5", nudge)
    source = FIXTURES / "keras3/cnn.h5"
    assert run("diff", source, near).code == 1
    assert run("diff", source, near, "--rtol", "1e-6").code == 0
    assert run("diff", source, near, "--atol", "1e-6").code == 0
    assert run("diff", source, near, "--rtol", "-1").code == 2

    def not_a_number(bits: int) -> Callable[[h5py.File], None]:
        return lambda file: file["model_weights/score/score/bias"].write_direct(
            np.full(2, bits, "uint32").view("float32")
        )

    one, other = (changed(tmp_path / f"{bits}.h5", not_a_number(bits)) for bits in (0x7FC00000, 0x7FC00001))
    assert run("diff", one, other).code == 1
    assert run("diff", one, other, "--equal-nan").code == 0


def test_config(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A changed setting is told with layer, key, old and new, whatever the weights."""
    config = json.loads((FIXTURES / "keras3/mlp_dir/config.json").read_text())
    first = keras_like(tmp_path / "one.keras")
    import zipfile

    with zipfile.ZipFile(first) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][1]["config"]["activation"] = "tanh"
    other = keras_like(tmp_path / "other.keras", config=json.dumps(config).encode())
    outcome = run("diff", first, other)
    assert outcome.code == 1
    assert "1 setting changed" in outcome.out
    row = next(line for line in outcome.out.splitlines() if line.startswith("hidden"))
    assert row.split() == ["hidden", "activation", "relu", "tanh"]
    result = json.loads(run("diff", first, other, "-o", "json").out)
    assert result["differences"] == ["config"]
    assert result["config"][0]["a"] == "relu"


def test_an_unreadable_weight(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A weight that cannot be read is exit code 2, and the rest is compared all the same."""
    path = tmp_path / "chunked.h5"

    def chunk(file: h5py.File) -> None:
        kernel = file["model_weights/score/score/kernel"][()]
        del file["model_weights/score/score/kernel"]
        file.create_dataset("model_weights/score/score/kernel", data=kernel, chunks=kernel.shape, compression="gzip")
        bias = file["model_weights/score/score/bias"]
        bias[...] = 9

    changed(path, chunk)
    with h5py.File(path) as file:
        offset = file["model_weights/score/score/kernel"].id.get_chunk_info(0).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(raw)
    outcome = run("diff", FIXTURES / "keras3/cnn.h5", path)
    assert outcome.code == 2
    assert "unreadable" in outcome.out
    assert "score/bias" in outcome.out


@pytest.mark.parametrize("paths", [(MLP,), (MLP, MLP, MLP), ()])
def test_two_are_compared(paths: tuple[Path, ...], run: Callable[..., Any]) -> None:
    """Any other number of checkpoints is a usage error."""
    assert run("diff", *paths).code == 2


@pytest.mark.parametrize("bad", ["broken/plain.txt", "nowhere.keras", "broken/lfs.h5"])
def test_what_cannot_be_opened(bad: str, run: Callable[..., Any]) -> None:
    """A side that is no checkpoint is one message and exit code 2."""
    for sides in ((MLP, FIXTURES / bad), (FIXTURES / bad, MLP)):
        outcome = run("diff", *sides)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.count("error:") == 1


def test_nothing_matches(run: Callable[..., Any]) -> None:
    """A glob that means nothing compares nothing: exit code 2."""
    outcome = run("diff", MLP, LEGACY, "--match", "nowhere")
    assert outcome.code == 2
    assert "nothing matches nowhere" in outcome.err


def test_colour(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """Colour is there where it is asked for, and nowhere else."""
    assert "\x1b[31m" in run("diff", *pair, "--color", "always").out
    assert "\x1b" not in run("diff", *pair).out


def test_arch(run: Callable[..., Any]) -> None:
    """`--arch` gives names and slots to weights that have no config."""
    files = FIXTURES / "keras2.15/mlp.weights.h5", FIXTURES / "keras2.15/mlp_weights.h5"
    result = json.loads(run("diff", *files, "--arch", FIXTURES / "keras2.15/mlp.json", "-o", "json").out)
    assert {weight["evidence"] for weight in result["weights"]} == {"slot"}
    assert {weight["a"]["layer"] for weight in result["weights"]} == {"hidden", "output"}


def git_arguments(old: object, new: object, *renamed: str) -> list[object]:
    """The arguments of git's external diff for a file."""
    return ["model.h5", old, "0" * 40, "100644", new, "1" * 40, "100644", *renamed]


def test_for_git(pair: tuple[Path, Path], run: Callable[..., Any]) -> None:
    """git names the file, not where it put copies, and goes on only after exit code 0; a renamed file has two names."""
    outcome = run("diff", *git_arguments(*pair))
    assert (outcome.code, outcome.err) == (0, "")
    assert "a/model.h5" in outcome.out and "b/model.h5" in outcome.out
    assert str(pair[1]) not in outcome.out
    outcome = run("diff", *git_arguments(*pair, "new.h5", "similarity index 90%\n"), "--layers")
    assert "a/model.h5" in outcome.out and "b/new.h5" in outcome.out


@pytest.mark.parametrize(("old", "new", "title"), [(os.devnull, MLP, "added"), (MLP, os.devnull, "removed")])
def test_for_git_a_file_on_one_side(old: object, new: object, title: str, run: Callable[..., Any]) -> None:
    """A file that comes or goes is listed under its name."""
    outcome = run("diff", *git_arguments(old, new))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{title}: model.h5")
    assert "hidden" in outcome.out


def test_for_git_an_error_is_a_result(tmp_path: Path, run: Callable[..., Any]) -> None:
    """A file that cannot be opened is said in the diff, under git's name for it, and git goes on."""
    (tmp_path / "copy").write_bytes(b"no checkpoint")
    for arguments in (git_arguments(tmp_path / "copy", MLP), git_arguments(os.devnull, tmp_path / "copy")):
        outcome = run("diff", *arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("model.h5: ")


def test_parts_that_are_none(run: Callable[..., Any]) -> None:
    """A part that no checkpoint has is refused with those that there are."""
    outcome = run("diff", MLP, LEGACY, "--fail-on", "values,colour")
    assert outcome.code == 2
    assert "colour: none of" in outcome.err and "nothing" in outcome.err
