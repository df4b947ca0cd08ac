"""Hostile indexes and graphs meet every command: one error or one result each, soon, and without much memory."""

import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ckpttool.cli import main
from tests import fuzzing
from tests.floods import ENDLESS
from tests.formats.tensorflow import test_hostile as hostile
from tests.formats.tensorflow import writer
from tests.formats.tensorflow.writer import block, entry, graph, header, masked, table
from tests.samples import FIXTURES
from tests.speeds import is_slow

MEGABYTES = 150

_ARCH = str(FIXTURES / "tensorflow/2.15/sequential")
COMMANDS = {
    **fuzzing.COMMANDS,
    "config": ["info", "{}", "--config"],
    "tree": ["ls", "{}", "--tree", "--arch", _ARCH],
    "into a model": ["verify", "{}", _ARCH, "--values", "--optimizer"],
    "a part": ["verify", "{}", _ARCH, "--part", "model", "--output", "json"],
    "weights into it": ["verify", str(FIXTURES / "keras3/mlp.weights.h5"), "{}"],
    "filled": ["convert", "{}", "{}.filled.keras", "--arch", _ARCH, "--no-prove"],
    "weights": ["convert", "{}", "{}.new.weights.h5", "--arch", _ARCH],
    "legacy": ["convert", "{}", "{}.new.h5", "--arch", _ARCH],
}
CODES = {"verify": (0, 1, 2), "diff": (0, 1, 2), "check": (0, 1, 2), "graph": (0, 1, 2)}  # the others: 0 or 2


def _file(raw: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "ckpt.index"
        path.write_bytes(raw)
        return path

    return write


def _in_a_saved_model(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The index, and the shard beside it, as the variables of a SavedModel."""

    def put(folder: Path) -> Path:
        model = Path(shutil.copytree(FIXTURES / "tensorflow/2.15/sequential", folder / "model"))
        index = write(folder)
        shutil.copy(index, model / "variables/variables.index")
        for shard in folder.glob("ckpt.data-*"):
            shutil.copy(shard, model / "variables" / shard.name.replace("ckpt", "variables"))
        return model

    return put


def _same_bytes(folder: Path) -> Path:
    data, crc = bytes(4096), masked(bytes(4096))
    return writer.write(folder, [(b"%04d" % n, entry(1, [1024], 0, 4096, crc)) for n in range(1000)], data)


def _shards(folder: Path) -> Path:
    return writer.write(folder, [(b"%05d" % n, entry(1, [], 0, 4, shard=n)) for n in range(5000)], head=header(5000))


def _paths(folder: Path) -> Path:
    value = ("VARIABLE_VALUE", "w", "w")
    objects: list[writer.Object] = [([("a", n + 1), ("b", n + 1), ("up", 0)], [], []) for n in range(60)]
    return writer.with_graph(folder, graph([*objects, ([("root", 0)], [value], [])]), ["w"])


def _layers_in_layers(folder: Path) -> Path:
    """Layers of models of Keras that hold each other in circles."""
    names = [f"layer-{n}" for n in range(20)]
    objects: list[writer.Object] = [
        ([(name, (at * 7 + n) % 50) for n, name in enumerate(names)], [], []) for at in range(50)
    ]
    return writer.with_graph(folder, graph(objects), ["w"])


def _models(raw: Callable[[bytes], bytes], name: str = "saved_model.pb") -> Callable[[Path], Path]:
    """A SavedModel of which a file is another one."""

    def put(folder: Path) -> Path:
        model = Path(shutil.copytree(FIXTURES / "tensorflow/2.15/sequential", folder / "model"))
        (model / name).write_bytes(raw((model / name).read_bytes()))
        return model

    return put


_INDEXES: dict[str, Callable[[Path], Path]] = {
    **{name: _file(make()) for name, (make, _, _) in hostile._FILES.items()},
    **{name: _file(table([], [block([], 1, content)])) for name, (content, _, _) in hostile._SNAPPY.items()},
    **{
        name: lambda folder, value=value: hostile.beside(folder, "bad", value, data=bytes(8))
        for name, (value, _, _) in hostile._OF_A_TENSOR.items()
    },
    **{
        name: lambda folder, data=data: hostile.beside(folder, "bad", entry(7, [], 0, len(data)), data=data)
        for name, (data, _) in hostile._TEXTS.items()
    },
    **{name: lambda folder, parts=parts: hostile._parts(folder, *parts) for name, (parts, _) in hostile._PARTS.items()},
    **{
        f"graph: {name}": lambda folder, message=message: writer.with_graph(folder, message, ["w"])
        for name, (message, _) in hostile._GRAPHS.items()
    },
    "a thousand tensors on the same bytes": _same_bytes,
    "many shards": _shards,
    "many paths": _paths,
    "layers in layers": _layers_in_layers,
}
_MODELS: dict[str, Callable[[Path], Path]] = {
    "cut off": _models(lambda raw: raw[: len(raw) // 2]),
    "a hundred graphs": _models(lambda raw: raw * 100),
    "too many graphs": _models(lambda raw: b"\x12\0" * 1000),
    "groups": _models(lambda raw: b"\x0b" * 100_000),
    "no metadata": _models(lambda raw: b"", "keras_metadata.pb"),
    "metadata of groups": _models(lambda raw: b"\x0b" * 100_000, "keras_metadata.pb"),
    "metadata many times": _models(lambda raw: raw * 50, "keras_metadata.pb"),
}
CASES = {
    **_INDEXES,
    **{f"variables: {name}": _in_a_saved_model(_INDEXES[name]) for name in list(_INDEXES)[:: 1 if is_slow() else 3]},
    **{f"model: {name}": write for name, write in _MODELS.items()},
}


def _peak(key: str) -> float:
    """Megabytes of memory: "VmRSS" now, "VmHWM" at most since it was counted anew."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def _seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is counted as Linux does")
@pytest.mark.parametrize("case", CASES)
def test_every_command(case: str, tmp_path: Path) -> None:
    """Every command ends with an exit code of its own, an error where there is no result, within bounds."""
    path = CASES[case](tmp_path)
    for name, arguments in COMMANDS.items():
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is counted anew
        memory, begun = _peak("VmRSS"), _seconds()
        done = CliRunner().invoke(main, [argument.replace("{}", str(path)) for argument in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), (name, done.exception)
        assert done.exit_code in CODES.get(arguments[0], (0, 2)), (name, done.output)
        assert done.stderr.count("error: ") <= 1, (name, done.stderr)
        assert done.stdout or done.stderr.startswith(("error: ", "wrote ")) or done.exit_code == 0, (name, done.output)
        assert "Traceback" not in done.output, name
        assert _seconds() - begun < ENDLESS, name
        assert _peak("VmHWM") - memory < MEGABYTES, name
