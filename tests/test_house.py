"""The rules of the house: which module may know which, what stands where, and how long it may get."""

import ast
import functools
import gc
import importlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest

import ckpttool
from ckpttool.cli import COMMANDS
from ckpttool.formats import FORMATS
from ckpttool.formats.hdf5_layouts import LAYOUTS
from ckpttool.render import DIFF_OUTPUTS, INFO_OUTPUTS, LISTING_OUTPUTS, SUMMARY_OUTPUTS, VERIFY_OUTPUTS
from tests.loops import for_each
from tests.samples import TRUTH

PACKAGE = Path(__file__).parents[1] / "ckpttool"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: a module may import those of its own level and below, never above.
LEVELS = [
    {"escape", "kinds", "notebook", "object_graph", "old_activations", "paths", "saved_model"},
    {"errors"},
    {"io"},
    {"checkpoint", "dangers"},
    {"arrays"},
    {"formats", "model"},
    {"alignment"},
    {"inspection", "manifest"},
    {"comparison", "verification"},
    {"conversion"},
    {"equivalence"},
    {"checks"},
    {"reports"},
    {"render", "callbacks"},
    {"cli"},
    {"__main__"},
]
APART = [{"formats", "model"}, {"comparison", "verification"}, {"render", "callbacks"}]  # do not know each other

ONLY_IN = {
    "click": {"cli"},
    "h5py": {"formats"},
    "jinja2": {"render"},
    "junitparser": {"render"},
    "markupsafe": {"render"},
    "tabulate": {"render"},
    "tomllib": {"checks"},
    "tomli": {"checks"},
    "yaml": {"io"},
}
LIVE = {
    "conversion/prove/child.py",
    "model/live/objects.py",
    "old_activations.py",
}  # what is handed a live model, or made for its process
NOWHERE = {"tensorflow", "tf_keras", "torch", "jax", "pickle", "marshal", "shelve", "dill", "multiprocessing"}


def ids(path: Path) -> str:
    """A module's place in the package."""
    return path.relative_to(PACKAGE).as_posix()


def room(path: Path) -> str:
    """The module or subpackage at the top of the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def tree(path: Path) -> ast.Module:
    """The parsed source of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module's source."""
    return tuple(ast.walk(tree(path)))


def called(node: ast.AST) -> str:
    """The dotted name of what a node calls, "" where it calls none that has a name."""
    pieces = list[str]()
    function = node.func if isinstance(node, ast.Call) else None
    while isinstance(function, ast.Attribute):
        pieces.insert(0, function.attr)
        function = function.value
    return ".".join((function.id, *pieces)) if isinstance(function, ast.Name) else ""


@pytest.fixture(autouse=True, scope="module")
def no_collection() -> Iterator[None]:
    """The garbage collector sleeps meanwhile: it would look again and again through a million nodes that all stay."""
    gc.disable()
    yield
    gc.enable()
    nodes.cache_clear()
    tree.cache_clear()


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{ids(path)}: relative imports hide where things come from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def level(name: str) -> int:
    """The height of a room above the ground."""
    return next(number for number, rooms in enumerate(LEVELS) if name in rooms)


def test_every_room_has_a_level() -> None:
    """No module stands outside the order."""
    assert {room(path) for path in MODULES} - {"__init__"} == set().union(*LEVELS)


@for_each(MODULES)
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


UPWARDS = {("notebook.py", "ckpttool.render.html.fragments")}
"""The one import that points up: a result shows itself in a notebook, which asks no renderer."""


def test_imports_by_name_point_down() -> None:
    """A module that names another in a text, to import it, is not below it, but for one."""
    names, up = {dotted(path): path for path in MODULES if room(path) != "__init__"}, set[tuple[str, str]]()
    for path in names.values():
        texts = {node.value for node in nodes(path) if isinstance(node, ast.Constant)} & names.keys()
        up |= {(ids(path), str(name)) for name in texts if level(room(names[str(name)])) > level(room(path))}
    assert up == UPWARDS


def test_the_page_shows_the_levels() -> None:
    """docs/architecture.md has a row for each room, and the arrows between them."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)/?`", row)} == set().union(*LEVELS) - {"__main__"}
    (arrows,) = re.findall(r"point down only: `([^`]+)`", page)
    assert [set(rooms.split(", ")) for rooms in " ".join(arrows.split()).split(" < ")] == LEVELS[:-1]


@for_each(MODULES)
def test_packages_in_their_rooms(path: Path) -> None:
    """click is known to cli alone, tabulate to render, h5py to formats; frameworks and pickles to nobody."""
    for name in imports(path):
        package = name.split(".")[0]
        assert package not in NOWHERE, f"{ids(path)} imports {name}"
        assert package != "keras" or ids(path) in LIVE or room(path) == "callbacks", f"{ids(path)} imports {name}"
        assert room(path) in ONLY_IN.get(package, {room(path)}), f"{ids(path)} imports {name}"


def dotted(path: Path) -> str:
    """The name by which a module is imported."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def for_types_alone(path: Path) -> set[int]:
    """The lines of a module that only type checkers read."""
    blocks = (node for node in nodes(path) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {line for node in blocks for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def test_no_module_imports_itself() -> None:
    """No module needs itself, over whatever others, imports inside of functions included."""
    names = {dotted(path) for path in MODULES}
    needs = dict[str, set[str]]()
    for path in MODULES:
        ignored = for_types_alone(path)
        imported = set[str]()
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.lineno not in ignored and node.module:
                asked = {f"{node.module}.{alias.name}" for alias in node.names}
                imported |= {name if name in names else node.module for name in asked} & names
        needs[dotted(path)] = imported - {"ckpttool"}
    del needs["ckpttool"]  # the front door opens every room when it is asked for one
    while ends := {name for name, imported in needs.items() if not imported & needs.keys()}:
        needs = {name: imported for name, imported in needs.items() if name not in ends}
    assert needs == {}


ARITHMETIC = {
    "arrays",
    "callbacks",
    "checks/numbers",
    "cli",
    "comparison",
    "io/replacement",
    "render",
}  # on arrays, and on own numbers


@for_each(MODULES)
def test_no_number_is_believed(path: Path) -> None:
    """Modules that read files turn stored values into numbers by `io.scalars` alone: `int`, `float` and `isdigit`
    believe too much."""
    if ids(path) == "io/scalars.py" or any(ids(path).startswith(where) for where in ARITHMETIC):
        return
    bare = [
        node.lineno
        for node in nodes(path)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "float"))
        or (isinstance(node, ast.Call) and called(node) == "map" and ast.unparse(node.args[0]) in ("int", "float"))
        or (isinstance(node, ast.Attribute) and node.attr in ("isdigit", "isdecimal", "isnumeric"))
    ]
    assert bare == [], f"{ids(path)} converts numbers by itself"


@for_each(MODULES)
def test_output_in_one_place(path: Path) -> None:
    """Nothing but the command line prints or ends the process; nothing evaluates text as code."""
    allowed = {"ckpttool/formats/hdf5/chunk_child.py"}  # a process of its own, which talks over its standard output
    for node in nodes(path):
        if isinstance(node, ast.Call):
            name = called(node)
            assert name not in ("eval", "exec", "compile", "__import__"), f"{ids(path)}:{node.lineno}"
            if room(path) != "cli" and path.relative_to(PACKAGE.parent).as_posix() not in allowed:
                assert name not in ("print", "sys.exit", "exit", "quit", "os._exit", "sys.stdout.write"), (
                    f"{ids(path)}:{node.lineno}"
                )


@for_each([path for path in MODULES if ids(path) != "io/child_processes.py"])
def test_children_are_started_in_one_place(path: Path) -> None:
    """Only `io.child_processes` starts processes, which are isolated there."""
    starts = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "subprocess"}
    assert not {f"subprocess.{name}" for name in starts} & set(imports(path))
    assert "subprocess" not in imports(path)
    for node in nodes(path):
        assert not called(node).startswith(
            ("os.system", "os.popen", "os.fork", "os.exec", "os.spawn", "os.posix_spawn")
        )


@for_each(MODULES)
def test_sizes(path: Path) -> None:
    """No module has more than 400 lines and no function more than 50."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{ids(path)}: {node.name}"


CALLED_FROM_OUTSIDE = {
    "_repr_html_",  # by notebooks
    "format_commands", "get_command", "list_commands",  # by click
    "latest", "load_latest",  # by users, from ckpttool.callbacks
    "on_epoch_end", "on_test_batch_end", "on_train_batch_end", "on_train_begin",  # by Keras
    "readable", "readinto", "seekable",  # by io.BufferedReader
}  # fmt: skip


def defined(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """The functions, classes and constants of a module, and the methods of its classes."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node, node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                (node, name.id) for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            )
        if isinstance(node, ast.ClassDef):
            yield from ((method, method.name) for method in node.body if isinstance(method, ast.FunctionDef))


def loaded(parts: Iterable[ast.AST]) -> Counter[str]:
    """The names that are used, as variables of a module."""
    return Counter(node.id for node in parts if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


def test_nothing_is_for_tests_alone() -> None:
    """Every definition of the package is used in it, or public: nothing is there for tests alone."""
    elsewhere = {word for page in PACKAGE.rglob("*.html") for word in re.findall(r"\w+", page.read_text("utf-8"))}
    elsewhere |= CALLED_FROM_OUTSIDE | set(ckpttool.__all__)
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                elsewhere.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and room(path) != "__init__":
                elsewhere |= {alias.name for alias in node.names}
    unused = list[str]()
    for path in MODULES:
        here = loaded(nodes(path))
        for node, name in defined(path):
            if not name.startswith("__") and name not in elsewhere and here[name] == loaded(ast.walk(node))[name]:
                unused.append(f"{ids(path)}: {name}")
    assert unused == []


def is_there(module: ModuleType, name: str) -> bool:
    """Whether a module has what it lists; what is made for Keras may need it."""
    try:
        return hasattr(module, name)
    except ImportError as error:
        return "needs Keras 3" in str(error)


@for_each(MODULES)
def test_exports(path: Path) -> None:
    """`__all__` is sorted, without repetition, and everything in it is there."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    if "__all__ = " not in path.read_text(encoding="utf-8"):
        return
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert list(listed) == sorted(set(listed), key=lambda name: (not name.isupper(), name))
    assert all(is_there(module, entry) for entry in listed)


@for_each(MODULES)
def test_docstrings(path: Path) -> None:
    """Every module says what it is for."""
    assert ast.get_docstring(tree(path))


def test_commands_are_complete() -> None:
    """Every module of a command is in the table, which says what it says of itself; the helpers are told apart."""
    helpers = {"__init__", "emit", "exits", "options", "pager", "watch"}
    modules = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - helpers
    assert modules == set(COMMANDS)
    for name, short in COMMANDS.items():
        command = importlib.import_module(f"ckpttool.cli.{name}").command
        assert (command.name, command.get_short_help_str(100)) == (name, short)


def test_outputs_are_complete() -> None:
    """Every output of a listing is one of several listings, too; every module of an output is in the table."""
    helpers = {
        "__init__", "conversion_phrases", "conversions", "costs", "diffs", "expected_phrases", "expected_weights",
        "fingerprints", "json_diffs", "json_values", "outputs", "plain_tables", "sparklines", "style", "tables",
        "verdicts",
    }  # fmt: skip
    modules = {path.stem for path in (PACKAGE / "render").glob("*.py")} | {"html"}
    assert modules - helpers == set(LISTING_OUTPUTS)
    assert set(LISTING_OUTPUTS) == set(SUMMARY_OUTPUTS)
    assert set(DIFF_OUTPUTS) | set(INFO_OUTPUTS) | set(VERIFY_OUTPUTS) <= set(LISTING_OUTPUTS)


def test_formats_are_complete() -> None:
    """Every layout of HDF5 is a format; every format that Keras or TensorFlow writes is among the fixtures."""
    from tests.samples import FIXTURES

    kinds = set()
    for name in (*TRUTH["files"], "tensorflow/2.15/mlp.ckpt", "tensorflow/2.15/module"):
        if "npz" not in name:
            with ckpttool.open(FIXTURES / name) as checkpoint:
                kinds.add(checkpoint.kind)
    assert {layout.kind for layout in LAYOUTS} < set(FORMATS)
    assert kinds == set(FORMATS) - {"architecture", "hdf5"}


def test_tests_mirror_the_package() -> None:
    """Every room has its tests."""
    tests = {path.relative_to(Path(__file__).parent).parts[0].removeprefix("test_").removesuffix(".py")
             for path in Path(__file__).parent.rglob("test_*.py")}  # fmt: skip
    without = {room(path) for path in MODULES} - tests - {"__init__", "__main__", "checkpoint"}
    assert without == set()


@for_each(sorted(Path(__file__).parent.rglob("test_*.py")))
def test_tests_state_facts(path: Path) -> None:
    """Every test says in its docstring which fact it holds."""
    classes = (node.body for node in tree(path).body if isinstance(node, ast.ClassDef))
    for node in chain(tree(path).body, *classes):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{path.name}: {node.name}"


CLOCKS = re.compile(
    r"\b(perf_counter|monotonic|process_time|thread_time|clock_gettime|setitimer|getrusage|alarm)(_ns)?\(|RLIMIT_CPU"
)
WITH_CLOCKS = {
    "benchmarks/": "by hand: compares seconds",
    "checks/runner.py": "notes the seconds of a check, which tests hold to what never ends",
    "conversion/channels_first_layers.py": "by hand: ends what never ends",
    "floods.py": "ends what never ends",
    "formats/differential.py": "by hand: says how long it took",
    "formats/h5py_view.py": "ends h5py where it hangs on a file: whatever ckpttool says of that is right",
    "formats/hdf5/small_files.py": "ends what never ends",
    "formats/hdf5/test_chunk_child.py": "reads which limits a child of the package has",
    "formats/tensorflow/test_hostile_commands.py": "holds to what never ends",
    "fuzzing.py": "by hand: says how long it took",
    "hostile_runner.py": "notes the seconds of a command, which tests hold to what never ends",
    "test_expressions.py": "ends a search that goes back and forth, which is one call of C",
}
"""The files of tests that ask a clock or are limited in processor time, and why."""


def test_no_test_measures_seconds() -> None:
    """On a busy machine everything takes longer: tests count what is done. Only a deadline needs a clock."""
    folder = Path(__file__).parent
    files = (path for path in folder.rglob("*.py") if CLOCKS.search(path.read_text("utf-8")) and path != Path(__file__))
    names = [path.relative_to(folder).as_posix() for path in files]
    assert {name for name in names if not name.startswith(tuple(WITH_CLOCKS))} == set()
    assert {name for name in WITH_CLOCKS if not any(other.startswith(name) for other in names)} == set()


NAMES_OF_OTHERS = {
    ("checks/safety/callables.py", "saved-model"),  # a rule
    ("conversion/targets.py", "keras-dir"),  # forms of targets
    ("conversion/targets.py", "sharded"),
    ("conversion/targets.py", "weights-h5"),
    ("dangers/danger.py", "saved-model"),
}
"""Texts that are also the names of formats, and where they name something else."""


@for_each([path for path in MODULES if room(path) not in ("formats", "kinds")])
def test_no_format_is_named(path: Path) -> None:
    """Facts that other rooms ask about a kind of checkpoint stand in its row: `checkpoint.format.is_whole`."""
    texts = {(ids(path), node.value) for node in nodes(path) if isinstance(node, ast.Constant)}
    assert texts & {(ids(path), kind) for kind in FORMATS.keys() - {"architecture"}} <= NAMES_OF_OTHERS
    assert not [node.lineno for node in nodes(path) if called(node).endswith(".kind.startswith")]


APART_FROM_LAYERS = ("checkpoint", "conversion", "dangers", "formats", "model")
"""The rooms that may name classes of layers: those of models and what replaces them, and rooms below, which read the
classes that TensorFlow writes. `Layer` and `Model` are words of Python's types, too."""


@for_each([path for path in MODULES if room(path) not in APART_FROM_LAYERS])
def test_no_layer_is_named(path: Path) -> None:
    """Facts that other rooms ask about a class of layers stand in its row: its kind, its traits, its defaults."""
    from ckpttool.model.layers.table import LAYERS, OLD_LAYERS

    texts = {node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert texts & (LAYERS.keys() | OLD_LAYERS.keys()) - {"Layer", "Model"} == set(), ids(path)


NOUNS = {"binding", "encoding", "padding", "pooling", "spelling", "string"}
"""Words that end as gerunds do and are the names of things."""


def test_modules_are_nouns() -> None:
    """No module or room is called by what it does: listing and checking are acts, a list and a report are things."""
    names = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts}
    pieces = {(name, piece) for name in names for piece in re.findall("[a-z0-9]+", name)}
    assert {name for name, piece in pieces if piece.endswith("ing") and piece not in NOUNS} == {"listing"}


NO_NOUN = re.compile(
    r"(\w+ed|beyond|broken|built|chosen|found|given|gone|held|hidden|kept|known|lost|made|others?|own)$"
)
"""Last words of names that only describe a thing: what is chunked, what is removed, what else there is."""


def test_modules_name_things() -> None:
    """No module or room ends in a participle: it is called `chunks`, not `chunked`."""
    names = {part.removesuffix(".py") for path in MODULES for part in path.relative_to(PACKAGE).parts}
    assert {name for name in names if NO_NOUN.match(name.rpartition("_")[2])} == set()
    assert NO_NOUN.match("sharded") and NO_NOUN.match("others") and not NO_NOUN.match("layers")


BANNED = frozenset("told tells untold held found made kept stated living words".split())
"""Words in names that say nothing of what is named."""
VAGUE = frozenset("said given what those it one much thing things".split())
"""Words that are no name by themselves."""
DIALECT = frozenset("gone is_gone today todays whose as_it_is kerass".split())
"""Words of a private dialect: a layer is removed, a name is that of Keras 3, a file is unchanged."""
PLAIN = ("ckpttool/", "tests/")
"""The folders that are free of all of these."""
PUBLIC = {
    ("ckpttool/comparison/result.py", "what"),
    ("ckpttool/conversion/journal.py", "what"),
    ("ckpttool/errors.py", "WeightNotFoundError"),
    ("ckpttool/errors.py", "found"),
    ("ckpttool/errors.py", "what"),
}
"""Vague names that stay: they are in the documented results of Python and of `--json`."""
NO_SUBJECT = re.compile(r"(What|Those|How|Whatever|Whose|Where|Which|Who|One of)\b")
"""The first word of docstrings that describe a thing without naming it."""


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a module gives: of functions, classes, parameters, variables, attributes."""
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.alias) and node.asname and node.asname != node.name:
            yield node.lineno, node.asname
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.lineno, node.name


def is_banned(name: str) -> bool:
    """Whether a name has a banned word in it, or is a vague one."""
    pieces = {piece.lower() for piece in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)}
    return (
        bool(pieces & BANNED)
        or name.strip("_") in VAGUE
        or name.strip("_").lower() in DIALECT
        or name.endswith("of_today")
    )


def test_banned_names() -> None:
    """A banned word counts within a name, a vague one only as the whole of it."""
    assert all(map(is_banned, ("found_names", "_told", "Told", "WORDS", "layersKept", "_said", "names_of_today")))
    assert not any(map(is_banned, ("founder", "one_line", "unfounded", "name", "keyword")))


def is_of_pair(path: Path, line: int, name: str) -> bool:
    """Whether a name is `one` in a function that has an `other` beside it."""
    functions = (node for node in nodes(path) if isinstance(node, ast.FunctionDef))
    around = [node for node in functions if node.lineno <= line <= (node.end_lineno or 0)]
    named = (
        getattr(node, "arg", None) or getattr(node, "id", None) for function in around for node in ast.walk(function)
    )
    return name == "one" and "other" in named


def plain_files() -> dict[str, Path]:
    """The modules and tests of the finished rooms, by their paths in the repository."""
    root = PACKAGE.parent
    files = {path.relative_to(root).as_posix(): path for path in [*MODULES, *sorted((root / "tests").rglob("*.py"))]}
    return {name: path for name, path in files.items() if name.startswith(PLAIN)}


def test_names_say_what_they_name() -> None:
    """No name in a finished room is of the words that say nothing."""
    files = plain_files()
    assert len(files) > 60
    banned = [(name, line, defined) for name, path in files.items() for line, defined in names_in(path)
              if is_banned(defined) and (name, defined) not in PUBLIC]  # fmt: skip
    wrong = [entry for entry in banned if not is_of_pair(files[entry[0]], *entry[1:])]
    assert not wrong, "\n".join(map(str, wrong))


def test_docstrings_name_their_subject() -> None:
    """A docstring of a finished room begins with the thing or the act: "The dtype of a tensor", not "What it is of"."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    files = plain_files().items()
    documented = [(name, node) for name, path in files for node in nodes(path) if isinstance(node, kinds)]
    texts = [(name, ast.get_docstring(node) or "") for name, node in documented]
    assert len(texts) > 5_000
    wrong = [(name, text.splitlines()[0]) for name, text in texts if NO_SUBJECT.match(text)]
    assert wrong == []
