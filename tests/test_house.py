"""The rules of the house: which module may know which, what stands where, and how long it may get."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpttool.cli import COMMANDS
from ckpttool.formats import _LAYOUTS, FORMATS
from ckpttool.render import DIFF_OUTPUTS, INFO_OUTPUTS, LISTING_OUTPUTS, SUMMARY_OUTPUTS, VERIFY_OUTPUTS
from tests.samples import TRUTH

PACKAGE = Path(__file__).parents[1] / "ckpttool"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: a module may import those of its own level and below, never above.
LEVELS = [
    {"escape", "old_activations", "scalars"},
    {"errors"},
    {"budget"},
    {"children", "files", "replacing", "dtypes", "jsontext", "yamltext"},
    {"checkpoint", "dangers"},
    {"numerics"},
    {"formats", "architecture"},
    {"aligning", "building", "expected", "loading", "support"},
    {"assembled"},
    {"writing"},
    {"naming", "vocabularies"},
    {"listing", "manifest"},
    {"describing"},
    {"comparing", "verifying"},
    {"conversion"},
    {"equivalence"},
    {"checks"},
    {"render", "callbacks"},
    {"cli"},
    {"__main__"},
]
APART = [{"formats", "architecture"}, {"render", "callbacks"}]  # of one level, and do not know each other

ONLY_IN = {
    "click": {"cli"},
    "h5py": {"formats"},
    "junitparser": {"render"},
    "tabulate": {"render"},
    "tomllib": {"checks"},
    "tomli": {"checks"},
    "yaml": {"yamltext"},
}
LIVE = {
    "architecture/live.py",
    "conversion/prove_child.py",
    "old_activations.py",
}  # what is handed a live model, or made for its process
NOWHERE = {"tensorflow", "tf_keras", "torch", "jax", "pickle", "marshal", "shelve", "dill", "multiprocessing"}


def ids(path: Path) -> str:
    """A module's place in the package."""
    return path.relative_to(PACKAGE).as_posix()


def room(path: Path) -> str:
    """The module or subpackage at the top of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def tree(path: Path) -> ast.Module:
    """The parsed source of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{ids(path)}: relative imports hide where things come from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(name: str) -> int:
    """How high above the ground a room is."""
    return next(number for number, rooms in enumerate(LEVELS) if name in rooms)


def test_every_room_has_a_level() -> None:
    """No module stands outside the order."""
    assert {room(path) for path in MODULES} - {"__init__"} == set().union(*LEVELS)


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_arrows_point_down(path: Path) -> None:
    """A module imports only what is below it."""
    own = room(path)
    if own == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "ckpttool" or parts[1:] == ["__version__"]:
            continue
        assert level(parts[1]) <= level(own), f"{ids(path)} imports {name}, which is above it"
        assert not any({parts[1], own} == pair for pair in APART), f"{ids(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_packages_in_their_rooms(path: Path) -> None:
    """click is known to cli alone, tabulate to render, h5py to formats; frameworks and pickles to nobody."""
    for name in imports(path):
        package = name.split(".")[0]
        assert package not in NOWHERE, f"{ids(path)} imports {name}"
        assert package != "keras" or ids(path) in LIVE or room(path) == "callbacks", f"{ids(path)} imports {name}"
        assert room(path) in ONLY_IN.get(package, {room(path)}), f"{ids(path)} imports {name}"


ARITHMETIC = {
    "checks/numbers",
    "comparing",
    "numerics",
    "render",
    "cli",
    "callbacks",
    "replacing",
}  # on arrays, and on own numbers


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_no_number_is_believed(path: Path) -> None:
    """What reads files turns stored values into numbers by `scalars` alone: `int`, `float` and `isdigit` believe too
    much."""
    if ids(path) == "scalars.py" or any(ids(path).startswith(where) for where in ARITHMETIC):
        return
    bare = [
        node.lineno
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "float"))
        or (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "map"
            and ast.unparse(node.args[0]) in ("int", "float")
        )
        or (isinstance(node, ast.Attribute) and node.attr in ("isdigit", "isdecimal", "isnumeric"))
    ]
    assert bare == [], f"{ids(path)} converts numbers by itself"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_output_in_one_place(path: Path) -> None:
    """Nothing but the command line prints or ends the process; nothing evaluates text as code."""
    allowed = {"ckpttool/formats/hdf5/chunk_child.py"}  # a process of its own, which talks over its standard output
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "__import__"), f"{ids(path)}:{node.lineno}"
            if room(path) != "cli" and path.relative_to(PACKAGE.parent).as_posix() not in allowed:
                assert called not in ("print", "sys.exit", "exit", "quit", "os._exit", "sys.stdout.write"), (
                    f"{ids(path)}:{node.lineno}"
                )


@pytest.mark.parametrize("path", [path for path in MODULES if ids(path) != "children.py"], ids=ids)
def test_children_are_started_in_one_place(path: Path) -> None:
    """Only `children` starts processes, which are isolated there."""
    starts = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "subprocess"}
    assert not {f"subprocess.{name}" for name in starts} & set(imports(path))
    assert "subprocess" not in imports(path)
    for node in ast.walk(tree(path)):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        assert not called.startswith(("os.system", "os.popen", "os.fork", "os.exec", "os.spawn", "os.posix_spawn"))


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_sizes(path: Path) -> None:
    """No module has more than 400 lines and no function more than 50."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{ids(path)}: {node.name}"


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_exports(path: Path) -> None:
    """`__all__` is sorted, without repetition, and everything in it is there."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    if name == "ckpttool.__main__":
        return
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert list(listed) == sorted(set(listed), key=lambda name: (not name.isupper(), name))
    assert all(hasattr(module, entry) for entry in listed)


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_docstrings(path: Path) -> None:
    """Every module says what it is for."""
    assert ast.get_docstring(tree(path))


def test_commands_are_complete() -> None:
    """Every module of a command is in the table, which says what it says of itself; the helpers are told apart."""
    helpers = {"__init__", "emit", "ending", "options"}
    found = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - helpers
    assert found == set(COMMANDS)
    for name, short in COMMANDS.items():
        command = importlib.import_module(f"ckpttool.cli.{name}").command
        assert (command.name, command.get_short_help_str(100)) == (name, short)


def test_outputs_are_complete() -> None:
    """Every output of a listing is one of several listings, too; every module of an output is in the table."""
    helpers = {"__init__", "changes", "conversions", "expected", "fingerprints", "style", "tables", "verdicts"}
    assert {path.stem for path in (PACKAGE / "render").glob("*.py")} - helpers == set(LISTING_OUTPUTS)
    assert set(LISTING_OUTPUTS) == set(SUMMARY_OUTPUTS)
    assert set(DIFF_OUTPUTS) | set(INFO_OUTPUTS) | set(VERIFY_OUTPUTS) <= set(LISTING_OUTPUTS)


def test_formats_are_complete() -> None:
    """Every layout of HDF5 is a format; every format that Keras writes is among the fixtures."""
    import ckpttool
    from tests.samples import FIXTURES

    kinds = set()
    for name in TRUTH["files"]:
        if "npz" not in name:
            with ckpttool.open(FIXTURES / name) as checkpoint:
                kinds.add(checkpoint.kind)
    assert {layout.kind for layout in _LAYOUTS} < set(FORMATS)
    assert kinds == set(FORMATS) - {"hdf5"}


def test_tests_mirror_the_package() -> None:
    """Every room has its tests."""
    tests = {path.relative_to(Path(__file__).parent).parts[0].removeprefix("test_").removesuffix(".py")
             for path in Path(__file__).parent.rglob("test_*.py")}  # fmt: skip
    without = {room(path) for path in MODULES} - tests - {"__init__", "__main__", "checkpoint"}
    assert without == set()


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("test_*.py")), ids=lambda path: path.name)
def test_tests_state_facts(path: Path) -> None:
    """Every test says in its docstring which fact it holds."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"
