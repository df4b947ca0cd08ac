"""Mutated checkpoints, as many as one likes: nothing but a message of ours may come of them, and that soon.

    python -m tests.fuzzing [--count 20000] [--seed 1] [--jobs 2] [--keep DIRECTORY] [--only tensorflow]

Run by hand. Every case follows from the seed and its number, so `--first NUMBER --count 1` makes it again. What is
mutated are the small fixtures: structures of HDF5 (messages, links, trees, heaps, addresses, spliced, doubled and led
elsewhere), its bytes and lengths, records of archives, members taken from other archives, and values of JSON documents,
those in attributes of HDF5 included, or parts of other documents in their place; tables, messages and directories of
TensorFlow are mutated by tests/formats/tensorflow/mutants.py. Each mutant meets every command. What counts as found: a
traceback, an exit code that is none, a control character in the output, more than three seconds of processor time or
300 MB of memory. A crash or hang ends the process of that part, which is told with the case and goes on behind it. Exit
code 1 says that something was found.
"""

import argparse
import json
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py

from tests import floods
from tests.floods import MEGABYTES, SECONDS
from tests.formats import zip_mutants
from tests.formats.hdf5 import mutants
from tests.formats.hdf5.surgery import ATTRIBUTE, addresses, name_of, text_attribute
from tests.formats.tensorflow import mutants as tensorflow
from tests.samples import FIXTURES, members, zipped

COMMANDS = {
    **floods.COMMANDS,
    "layers": ["ls", "{}", "--layers", "--cost"],
    "cost": ["info", "{}", "--cost", "--output", "json"],
    "graph": ["graph", "{}", "--output", "svg"],
    "changes": ["graph", str(FIXTURES / "keras3/mlp.keras"), "{}"],
    "report": ["report", "{}", "--isolated"],
}
KINDS = ("any", "keras", "tensorflow")
PART = 500  # mutants of a process: click's runner of tests keeps some kB of each command
HANG = 60  # seconds on the clock, for a machine that has more to do
LARGEST = 300_000  # bytes of a seed
LONGEST = 60_000  # bytes of a text in an object header, which counts them in two bytes
FOLDERS = {
    "keras3/mlp_dir": "",
    "keras3/sharded": "sharded.weights.json",
    "run": "",
}  # and what of them is the checkpoint
CONFIGS = ("model_config", "training_config")
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1e308, float("nan"), "", "..", "a/b", "\x1b[2J", "é" * 300, [], {}, [[]], [None] * 40,
    "Lambda", "Sequential", "Functional", "__lambda__", 3, [1, 2], [None, 4], "float16", "²", 10**400,
)  # fmt: skip


@cache
def seeds() -> list[Path]:
    """The fixtures that mutants are made of."""
    paths = (path for path in sorted(FIXTURES.rglob("*")) if path.suffix in (".h5", ".hdf5", ".keras", ".json"))
    return [path for path in paths if path.stat().st_size <= LARGEST and path.parent.name not in ("fixtures", "broken")]


@cache
def documents() -> list[Any]:
    """The configs of all seeds, of which parts are put into other ones."""
    configs = [json.loads(path.read_bytes()) for path in seeds() if path.suffix == ".json"]
    archives = [members(str(path)) for path in seeds() if zipfile.is_zipfile(path)]
    configs += [json.loads(parts["config.json"]) for parts in archives if "config.json" in parts]
    texts = [text for path in seeds() if path.suffix == ".h5" for text in config_texts(path.read_bytes()).values()]
    return configs + [json.loads(text) for text in texts]


@cache
def config_texts(data: bytes) -> dict[str, str]:
    """The configs in the attributes of an HDF5 file, those that fit into an object header; none in other bytes."""
    try:
        with h5py.File(BytesIO(data)) as file:
            stored = {name: file.attrs[name] for name in CONFIGS if name in file.attrs}
    except OSError:
        return {}
    texts = {name: text if isinstance(text, str) else text.decode() for name, text in stored.items()}
    return {name: text for name, text in texts.items() if len(text) < LONGEST}


def mutant(number: int, seed: int, folder: Path, only: str = "any") -> Path:
    """The case of this number, as a file or a directory."""
    rng = random.Random(f"{seed}/{number}")
    if only == "tensorflow" or (only == "any" and rng.random() < 0.3):
        return tensorflow.mutant(folder, rng)
    if rng.random() < 0.03:
        return _folder(folder / f"mutant{number}", rng)
    source = rng.choice(seeds())
    path = folder / f"mutant{number}{''.join(source.suffixes[-2:])}"
    if zipfile.is_zipfile(source):
        _archive(source, path, rng)
    else:
        path.write_bytes(_content(source.name, source.read_bytes(), rng))
    return path


def _folder(path: Path, rng: random.Random) -> Path:
    """A checkpoint of several files, one of which is mutated."""
    name = rng.choice(list(FOLDERS))
    shutil.copytree(FIXTURES / name, path)
    file = rng.choice(sorted(inside for inside in path.rglob("*") if inside.suffix in (".json", ".h5")))
    file.write_bytes(_content(file.name, file.read_bytes(), rng))
    return path / FOLDERS[name]


def _archive(source: Path, path: Path, rng: random.Random) -> None:
    """An archive whose records, bytes or members are others; checksums of members are right."""
    kind, parts = rng.randrange(10), members(str(source))
    if kind == 0:
        path.write_bytes(_bytes(source.read_bytes(), rng))
    elif kind < 3:
        path.write_bytes(zip_mutants.changed(parts, rng)[0])
    else:
        name = rng.choice([name for name in parts if name.endswith((".json", ".h5"))])
        if kind == 3:
            others = members(str(rng.choice([path for path in seeds() if zipfile.is_zipfile(path)])))
            parts[name] = others.get(name, b"")
        else:
            parts[name] = _content(name, parts[name], rng)
        zipped(path, parts, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _content(name: str, data: bytes, rng: random.Random) -> bytes:
    """The content of a file or a member of this name, mutated."""
    if name.endswith(".json"):
        return _document(data, rng)
    return rng.choice((_bytes, _structure, _structure, _config))(data, rng)


def _structure(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file whose structures are others; bytes where it is none."""
    seed = _seed(data)
    return mutants.changed(seed, rng)[0] if seed.places else _bytes(data, rng)


@cache
def _seed(data: bytes) -> mutants.Seed:
    try:
        return mutants.Seed(data, addresses(data))
    except OSError:
        return mutants.Seed(data, {})


def _config(data: bytes, rng: random.Random) -> bytes:
    """An HDF5 file with another config in its attributes; structures where it has none."""
    texts = config_texts(data)
    if not texts:
        return _structure(data, rng)
    name = rng.choice(list(texts))
    text = _document(texts[name].encode(), rng).decode("latin-1")[:LONGEST]
    case = mutants.Case(mutants.Patient(bytearray(data)), _seed(data).places, rng)
    with suppress(struct.error, IndexError):  # no room for it
        others = [m for m in case.messages(case.places[""]) if m.kind != ATTRIBUTE or name_of(m.body) != name.encode()]
        case.file.rewrite(case.places[""], [*others, mutants.Message(ATTRIBUTE, text_attribute(name, text))])
    return bytes(case.file.data)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes some of which are others, or lost, or there twice."""
    mutated = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        rng.choice((_set, _set, _number, _number, _length, _copy, _cut))(mutated, rng)
    return bytes(mutated)


def _place(data: bytearray, rng: random.Random) -> int:
    """Somewhere, mostly near a signature of HDF5 or zip: what lies between them is values."""
    marks = (b"TREE", b"HEAP", b"SNOD", b"OHDR", b"FRHP", b"BTHD", b"GCOL", b"PK\x01\x02", b"PK\x03\x04", b"\x89HDF")
    start = data.find(rng.choice(marks), rng.randrange(len(data) or 1))
    if start >= 0 and rng.random() < 0.8:
        return min(start + rng.randrange(64), len(data) - 1)
    return rng.randrange(len(data) or 1)


def _set(data: bytearray, rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] = rng.choice((*INTERESTING, rng.randrange(256)))


def _number(data: bytearray, rng: random.Random) -> None:
    """Eight bytes that are a number: an offset or a size, small, huge, or into the file itself."""
    at = _place(data, rng) // 8 * 8
    value = rng.choice((0, 1, 2**64 - 1, 2**63, 2**32, len(data), rng.randrange(len(data) or 1), at))
    data[at : at + 8] = value.to_bytes(8, "little")


def _length(data: bytearray, rng: random.Random) -> None:
    """A length of two or four bytes that is one more or less, half or double, or the largest there is."""
    width = rng.choice((2, 4))
    at = _place(data, rng) // 2 * 2
    value = int.from_bytes(data[at : at + width], "little")
    largest = (1 << 8 * width) - 1
    value = rng.choice((value + 1, value - 1, value // 2, value * 2, value + 8, largest, largest // 2)) & largest
    data[at : at + width] = value.to_bytes(width, "little")


def _copy(data: bytearray, rng: random.Random) -> None:
    size, start, at = rng.randrange(1, 128), _place(data, rng), _place(data, rng)
    data[at : at + size] = data[start : start + size]


def _cut(data: bytearray, rng: random.Random) -> None:
    start = _place(data, rng)
    del data[start : start + rng.choice((1, 8, 64, len(data)))]


def _document(data: bytes, rng: random.Random) -> bytes:
    """JSON with other values at some places; now and then, other bytes."""
    if rng.random() < 0.15:
        return _bytes(data, rng)
    value = json.loads(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = _changed(value, rng)
    return json.dumps(value).encode()


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one place in it changed: replaced, taken out, doubled, or filled with what stands elsewhere."""
    places = list(_places(value))
    if not places:
        return deepcopy(rng.choice(ODD_VALUES))
    holder, key = rng.choice(places)
    other, name = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        holder[key] = deepcopy(rng.choice(ODD_VALUES))
    elif kind == 1:
        holder[key] = deepcopy(other[name])
    elif kind == 2:
        holder[key] = _foreign(key, rng)
    elif kind == 3 and isinstance(holder, list):
        holder.insert(key, deepcopy(holder[key]))
    else:
        del holder[key]
    return value


def _foreign(key: Any, rng: random.Random) -> Any:
    """A part of another document, one that stands below the same key where there is such."""
    places = list(_places(rng.choice(documents())))
    alike = [place for place in places if place[1] == key]
    holder, name = rng.choice(alike or places)
    return deepcopy(holder[name])


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    stack = [value] if isinstance(value, dict | list) else []
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def run(first: int, count: int, seed: int, only: str, seconds: float) -> None:
    """Runs cases in this process; tells of each as a line of JSON: begun, and what went wrong."""
    signal.signal(signal.SIGALRM, _too_long)
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(first, first + count):
            folder = Path(scratch) / "case"
            folder.mkdir()
            path = mutant(number, seed, folder, only)
            codes, wrong = set(), []
            for name, arguments in COMMANDS.items():
                print(json.dumps({"case": number, "command": name}), flush=True)
                code, faults = run_command([argument.replace("{}", str(path)) for argument in arguments], seconds)
                codes.add(code)
                wrong += [f"{name}: {fault}" for fault in faults]
            outcome = "refused by all" if codes == {2} else "refused by some" if 2 in codes else "read"
            print(json.dumps({"case": number, "outcome": outcome, "wrong": wrong, "file": path.name}), flush=True)
            shutil.rmtree(folder)


def run_command(arguments: list[str], most: float) -> tuple[int, list[str]]:
    """The exit code of a command that may take so many seconds, and its faults."""
    from click.testing import CliRunner

    from ckpttool.cli import main

    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is counted anew
    start = _processor_time()
    signal.alarm(HANG)
    result = CliRunner().invoke(main, arguments)
    signal.alarm(0)
    seconds, megabytes = _processor_time() - start, _peak()
    faults = []
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        faults.append(_described(result.exception))
    if result.exit_code not in (0, 1, 2) or "Traceback" in result.output:
        faults.append(f"exit code {result.exit_code}: {result.output[-300:]}")
    if any(not (char.isprintable() or char == "\n") for char in result.output):
        faults.append("a control character in the output")
    if seconds > most or megabytes > MEGABYTES:
        faults.append(f"{seconds:.1f} s, {megabytes:.0f} MB")
    return result.exit_code, faults


def _processor_time() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _peak() -> float:
    """Megabytes of memory at most since it was counted anew."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {HANG} seconds")


def _described(error: BaseException) -> str:
    traceback = error.__traceback__
    while traceback and traceback.tb_next:
        traceback = traceback.tb_next
    file = Path(traceback.tb_frame.f_code.co_filename).name if traceback else ""
    place = f"{file}:{traceback.tb_lineno}" if traceback else ""
    return f"{type(error).__name__} at {place}: {str(error)[:150]}"


def part(first: int, count: int, seed: int, only: str, seconds: float) -> Iterator[dict[str, Any]]:
    """The outcome of each case; where the process died, that, and the cases behind it in another process."""
    end = first + count
    while first < end:
        command = [sys.executable, "-m", "tests.fuzzing", "--child", "--first", str(first)]
        command += ["--count", str(end - first), "--seed", str(seed), "--only", only, "--seconds", str(seconds)]
        lines: list[dict[str, Any]] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
            assert child.stdout
            for text in child.stdout:
                lines.append(json.loads(text))
                if "outcome" in lines[-1]:
                    yield lines[-1]
        if child.returncode == 0:
            return
        died = lines[-1]["case"] if lines else first
        wrong = [f"{lines[-1].get('command') if lines else 'start'}: died with {child.returncode}"]
        yield {"case": died, "outcome": "died", "wrong": wrong, "file": ""}
        first = died + 1


def main() -> int:
    """Runs all cases and prints what was found; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="directory for the files of the cases that something was found in")
    parser.add_argument("--only", choices=KINDS, default="any", help="mutants of one kind [any]")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="what a command may take [3]")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run(options.first, options.count, options.seed, options.only, options.seconds)
        return 0
    start, share = time.monotonic(), min(-(-options.count // options.jobs), PART)
    starts = range(options.first, options.first + options.count, share)
    ends = options.first + options.count
    settings = options.seed, options.only, options.seconds
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = pool.map(lambda first: list(part(first, min(share, ends - first), *settings)), starts)
        cases = [case for of_part in parts for case in of_part]
    bad = [case for case in cases if case["wrong"]]
    for case in bad:
        print(case["case"], case["file"], *case["wrong"], sep="\n  ")
        if options.keep:
            folder = options.keep / str(case["case"])
            folder.mkdir(parents=True, exist_ok=True)
            mutant(case["case"], options.seed, folder, options.only)
    outcomes = Counter(case["outcome"] for case in cases)
    print(f"{len(cases):,} mutants in {time.monotonic() - start:,.0f} s: {dict(outcomes)}; {len(bad)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
