"""When checkpoints are compared by meaning, what is told of it, and what stays a difference."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from ckpttool.comparison import Scope
from ckpttool.conversion import Options, convert
from ckpttool.equivalence import diff
from tests.samples import FIXTURES

LSTM = FIXTURES / "old_layers/keras2.2/lstm.h5"
CUDNN = FIXTURES / "old_layers/keras2.2/cudnn_both.h5"
PROGRAM = """
import sys
from ckpttool.cli import main
try:
    main(["diff", *sys.argv[1:]])
except SystemExit as end:
    print(end.code, [name for name in sys.modules if name.startswith("ckpttool.conversion")])
"""


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Path]:
    """Converts a file, and gives the new one."""

    def make(source: Path, **options: Any) -> Path:
        target = tmp_path / f"{source.stem}.keras"
        convert(source, target, options=Options(**options))
        return target

    return make


def test_exit_codes(run: Callable[..., Any], converted: Callable[..., Path]) -> None:
    """A conversion is the same in meaning, exit code 0; with --exact its weights and settings are different."""
    target = converted(LSTM)
    done = run("diff", LSTM, target)
    assert (done.code, done.out.splitlines()[0]) == (0, "the same in meaning: 3 weights compared, all the same")
    assert "equal in meaning: 3 weights multiplied by 1.2 in the gates that use hard_sigmoid\n" in done.out
    exact = run("diff", LSTM, target, "--exact")
    assert (exact.code, exact.out.splitlines()[0]) == (1, "different: 3 weights compared, 3 changed; 1 setting changed")


def test_json(run: Callable[..., Any], converted: Callable[..., Path]) -> None:
    """The JSON says on which side what is written otherwise, and where; the other way round it is the other side."""
    target = converted(CUDNN)
    forth = json.loads(run("diff", CUDNN, target, "-o", "json").out)
    (statement,) = forth["equal_in_meaning"]
    assert (forth["differences"], statement["side"], len(statement["where"])) == ([], "a", 6)
    assert "cuDNN" in statement["what"]
    back = json.loads(run("diff", target, CUDNN, "-o", "json").out)
    assert [statement["side"] for statement in back["equal_in_meaning"]] == ["b"]


def test_paths_are_those_of_the_file(converted: Callable[..., Path]) -> None:
    """A weight is told by where its own file has it, and by the name that its layer has there."""
    source = FIXTURES / "old_models/m021_ZeroPadding1D.h5"
    target = converted(source)
    result = diff(source, target)
    with h5py.File(source) as file:
        assert all(pair.a.path in file for pair in result.pairs)
    renamed = {(pair.a.layer, pair.b.layer) for pair in result.pairs if pair.a.layer != pair.b.layer}
    assert renamed
    assert all(old.replace("/", "_") == new for old, new in renamed)
    name = min(renamed)[0]
    by_name = diff(source, target, Scope(match=(f"{name}/*",)))
    assert {pair.a.layer for pair in by_name.pairs} == {name}


@pytest.mark.parametrize("ends", [("keras3/mlp.keras", "keras3/cnn.keras"), ("keras3/mlp.keras", "keras3/mlp.h5")])
def test_keras_3_alone_needs_no_conversion(ends: tuple[str, str]) -> None:
    """Two checkpoints of Keras 3 are compared without the modules that convert."""
    command = [sys.executable, "-c", PROGRAM, *(str(FIXTURES / end) for end in ends), "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split(" ", 1)[1] == "[]\n"


def test_one_old_generation(tmp_path: Path) -> None:
    """Two files of one old Keras of which only values differ are compared as they are written."""
    other = tmp_path / "other.h5"
    other.write_bytes(LSTM.read_bytes())
    with h5py.File(other, "r+") as file:
        weights = file["model_weights/lstm_1/lstm_1"]
        weights["bias"][0] += 1
    result = diff(LSTM, other)
    assert ([pair.a.name for pair in result.changed], result.restated) == (["lstm_1/lstm_cell/bias"], ())


def test_a_registered_function(converted: Callable[..., Path]) -> None:
    """With --keep-weights the weights stay and the old function is named: the same in meaning, too."""
    result = diff(LSTM, converted(LSTM, keep_weights=True))
    assert (result.differences, [statement.what.split(" ")[1] for statement in result.restated]) == (
        frozenset(),
        ["register-hard-sigmoid"],
    )


def test_a_function_in_place_of_code(tmp_path: Path) -> None:
    """A function of the user's in place of a Lambda's code is one changed setting of that layer."""
    source = FIXTURES / "old_layers/keras2.2/refused_lambda.h5"
    target = tmp_path / "new.keras"
    convert(source, target, options=Options(functions={"twice": "own.module:double"}))
    result = diff(source, target)
    assert [(setting.layer, setting.key, setting.new) for setting in result.settings] == [
        ("twice", "function", "own.module:double")
    ]


def test_without_an_exact_form(run: Callable[..., Any]) -> None:
    """A model that Keras 3 has no exact form for is compared as it is written, and a note says why."""
    lost = FIXTURES / "old_layers/keras2.2/refused_lambda.h5"
    done = run("diff", lost, FIXTURES / "keras3/mlp.keras")
    assert done.code == 1
    assert "compared as it is written: has no exact form in Keras 3: twice: " in done.out


def test_lost_state_is_a_difference(run: Callable[..., Any], converted: Callable[..., Path]) -> None:
    """State of an optimizer that the conversion loses counts as different with --optimizer, else as noted."""
    source = FIXTURES / "keras2.2/recurrent.h5"
    target = converted(source)
    assert run("diff", source, target, "-q").code == 0
    assert run("diff", source, target, "-q", "--optimizer").code == 1
