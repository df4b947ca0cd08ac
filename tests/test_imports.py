"""The imports of each command: neither TensorFlow nor Keras ever, NumPy and h5py only where arrays are read, Jinja2
only for pages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import FIXTURES, INDEX
from tests.speeds import one_of_each

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "tf_keras", "jax", "torch", "numpy", "h5py", "jinja2")
FRAMEWORKS = HEAVY[:5]

_SCRIPT = """
import json, sys
def told():
    return sorted({name.partition(".")[0] for name in sys.modules} & set(heavy))
heavy, runs = json.loads(sys.argv[1])
import ckpttool
found = [["import", told()]]
from ckpttool.cli import main
import contextlib, io
for args in runs:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(args, prog_name="ckpttool")
        except SystemExit:
            pass
    found.append([args, told()])
print(json.dumps(found))
"""


def imported(*runs: list[str]) -> list[tuple[object, list[str]]]:
    """The heavy packages that are there after `import ckpttool` and after each of these commands, in one process."""
    command = [sys.executable, "-c", _SCRIPT, json.dumps([HEAVY, runs])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [(args, names) for args, names in json.loads(done.stdout)]


def kind_of(name: str) -> list[str]:
    """The writer of a fixture and its format."""
    return [f"{name.partition('/')[0]} {Path(name).suffixes}"]


def test_import_is_light() -> None:
    """`import ckpttool` and its help import none of the heavy packages."""
    assert imported(["--help"], ["ls", "--help"], ["info", "--help"], ["--version"])[-1][1] == []


def test_a_plain_listing_is_light() -> None:
    """A plain `ls` of any fixture, in any output, imports neither NumPy nor h5py."""
    names = [name for name in INDEX if not name.endswith((".json", ".yaml")) or ".weights." in name]
    runs = [["ls", str(FIXTURES / name), "-o", "text"] for name in names]
    for name in one_of_each(names, kind_of):
        runs += [["ls", str(FIXTURES / name), "-o", output] for output in ("json", "csv", "markdown")]
    assert [run for run in imported(*runs, ["ls", str(FIXTURES / "keras3"), "--tree"]) if run[1]] == []


def test_no_command_imports_a_framework() -> None:
    """No command on a fixture of any kind, measured too, imports TensorFlow or Keras."""
    runs, other = [], str(FIXTURES / "keras3/mlp.keras")
    for path in (str(FIXTURES / name) for name in one_of_each(INDEX, kind_of)):
        runs += [["ls", path, "--section", "all", "--stats", "--sha256"], ["info", path], ["textconv", path]]
        runs += [["diff", path, other, "--optimizer"], ["verify", other, path], ["spec", path]]
    after = imported(*runs)[-1][1]
    assert set(after) & set(FRAMEWORKS) == set()
    assert "numpy" in after  # the commands did read arrays


def test_reading_needs_no_h5py() -> None:
    """Values that lie in one piece, as Keras writes them, are read without h5py; it never runs in this process."""
    after = imported(
        ["ls", str(FIXTURES / "keras3/mlp.keras"), "--stats"],
        ["ls", str(FIXTURES / "keras3/chunked.weights.h5"), "--stats"],
    )
    assert after[-1][1] == ["numpy"]


@pytest.mark.parametrize("module", ["ckpttool", "ckpttool.cli", "ckpttool.inspection.info", "ckpttool.render"])
def test_each_door_alone(module: str) -> None:
    """Each module can be imported first."""
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], cwd=ROOT, check=True, capture_output=True)


_COLLECTIONS = """
import atexit, gc, json, runpy, sys
atexit.register(lambda: print(json.dumps([searches.count("start"), gc.get_freeze_count()]), file=sys.stderr))
searches = []
gc.callbacks.append(lambda phase, info: searches.append(phase))
sys.argv[1:] = json.loads(sys.argv[1])
runpy.run_module("ckpttool", run_name="__main__")
"""


def test_a_short_command_searches_for_no_cycles() -> None:
    """A process that lists a small checkpoint does not look through all that it has imported for cycles, neither while
    it runs nor when it ends."""
    run = [sys.executable, "-c", _COLLECTIONS, json.dumps(["ls", MLP])]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    searches, frozen = json.loads(done.stderr.splitlines()[-1])
    assert searches <= 10  # while Python itself starts; 40 or more otherwise
    assert frozen > 10_000


_COUNTED = """
import json, sys
from ckpttool.cli import main
try:
    main(json.loads(sys.argv[1]), prog_name="ckpttool")
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
_DATACLASSES = """
import dataclasses, json, sys
made, process = [], dataclasses._process_class
dataclasses._process_class = lambda kind, *args, **named: made.append(kind.__name__) or process(kind, *args, **named)
from ckpttool.cli import main
try:
    main(json.loads(sys.argv[1]), prog_name="ckpttool")
except SystemExit:
    pass
print(json.dumps([made, sorted(sys.modules)]), file=sys.stderr)
"""
MLP = str(FIXTURES / "keras3/mlp.keras")
INDEX_FILE = str(FIXTURES / "tensorflow/2.15/mlp.ckpt.index")
WEIGHTS = str(FIXTURES / "keras3/mlp.weights.h5")
OF_HDF5 = "formats.hdf5_input formats.hdf5_layouts formats.hdf5.tree formats.hdf5.values"


@pytest.mark.parametrize(
    ("command", "most", "unneeded"),
    [
        (["ls", INDEX_FILE], 56, f"{OF_HDF5} manifest model io.json_text formats.tensorflow.saved_objects saved_model"),
        (["ls", WEIGHTS], 57, "manifest model io.json_text formats.archive formats.tensorflow.table"),
        (["ls", MLP], 112, "manifest model.buildability model.spec verification comparison conversion object_graph"),
        (["diff", MLP, MLP], 172, "manifest model.buildability verification conversion checks"),
        (["check", "--isolated", MLP], 210, "manifest verification comparison conversion checks.portability.plans"),
    ],
    ids=lambda value: " ".join(Path(word).name for word in value) if isinstance(value, list) else "",
)
def test_modules_of_a_command(command: list[str], most: int, unneeded: str) -> None:
    """A command on a small file imports few modules of ckpttool, and none that other files or results need: a module
    takes a thousandth of a second, which is a hundredth of all."""
    run = [sys.executable, "-c", _COUNTED, json.dumps(command)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(done.stderr.splitlines()[-1])
    own = {name.removeprefix("ckpttool.") for name in modules if name.startswith("ckpttool.")}
    assert own & set(unneeded.split()) == set()
    assert len(own) <= most, sorted(own)
    assert "tomllib" not in modules


def test_a_listing_makes_few_classes_and_patterns() -> None:
    """A listing of a small TensorFlow checkpoint makes few dataclasses, each of which takes half a thousandth of a
    second, and looks for no name like that of a prefix, which is the name of no file."""
    run = [sys.executable, "-c", _DATACLASSES, json.dumps(["ls", INDEX_FILE.removesuffix(".index")])]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    classes, modules = json.loads(done.stderr.splitlines()[-1])
    assert len(classes) <= 12, classes
    assert {"difflib", "zipfile", "numpy"} & set(modules) == set()
