"""Mutated checkpoints, as many as one likes: nothing but a `CheckpointError` may come of them, and that soon.

    python -m tests.fuzzing [--count 10000] [--seed 1] [--jobs 2] [--keep DIRECTORY]

Run by hand. Every case follows from the seed and its number, so `--first NUMBER --count 1` makes it again. What is
mutated are the small fixtures: bytes of HDF5 (mostly of its metadata), bytes of an archive, or values in its JSON
documents. Each mutant meets every operation of the library, in little memory. A crash or hang ends the process of that
part, which is told with the case and goes on behind it. Exit code 1 says that something was found.
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.samples import FIXTURES, zipped

SECONDS = 10
MEMORY = 1 << 30
LARGEST = 300_000  # bytes of a seed
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1e308, float("nan"), "", "..", "a/b", "\x1b[2J", "é" * 300, [], {}, [[]], [None] * 40,
)  # fmt: skip


def seeds() -> list[Path]:
    """The fixtures that mutants are made of."""
    found = (path for path in sorted(FIXTURES.rglob("*")) if path.suffix in (".h5", ".hdf5", ".keras", ".json"))
    return [path for path in found if path.stat().st_size <= LARGEST and path.parent.name not in ("fixtures", "broken")]


def mutant(number: int, seed: int, folder: Path) -> Path:
    """The case of this number, as a file."""
    rng = random.Random(f"{seed}/{number}")
    source = rng.choice(seeds())
    path = folder / f"mutant{number}{''.join(source.suffixes[-2:])}"
    if source.suffix == ".json":
        path.write_bytes(_document(source.read_bytes(), rng))
    elif zipfile.is_zipfile(source) and rng.random() < 0.7:
        _member(source, path, rng)
    else:
        path.write_bytes(_bytes(source.read_bytes(), rng))
    return path


def _member(source: Path, path: Path, rng: random.Random) -> None:
    """An archive one member of which is mutated, and its checksum right."""
    with zipfile.ZipFile(source) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    name = rng.choice([name for name in parts if name.endswith((".json", ".h5"))])
    parts[name] = (_document if name.endswith(".json") else _bytes)(parts[name], rng)
    zipped(path, parts, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes some of which are others, or lost, or there twice."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        rng.choice((_set, _set, _set, _number, _copy, _cut))(found, rng)
    return bytes(found)


def _place(found: bytearray, rng: random.Random) -> int:
    """Somewhere, mostly near a signature of HDF5 or zip: what lies between them is values."""
    marks = (b"TREE", b"HEAP", b"SNOD", b"OHDR", b"FRHP", b"BTHD", b"GCOL", b"PK\x01\x02", b"PK\x03\x04", b"\x89HDF")
    start = found.find(rng.choice(marks), rng.randrange(len(found) or 1))
    if start >= 0 and rng.random() < 0.8:
        return min(start + rng.randrange(64), len(found) - 1)
    return rng.randrange(len(found) or 1)


def _set(found: bytearray, rng: random.Random) -> None:
    if found:
        found[_place(found, rng)] = rng.choice((*INTERESTING, rng.randrange(256)))


def _number(found: bytearray, rng: random.Random) -> None:
    """Eight bytes that are a number: an offset or a size, small, huge, or into the file itself."""
    at = _place(found, rng) // 8 * 8
    value = rng.choice((0, 1, 2**64 - 1, 2**63, 2**32, len(found), rng.randrange(len(found) or 1), at))
    found[at : at + 8] = value.to_bytes(8, "little")


def _copy(found: bytearray, rng: random.Random) -> None:
    size, start, at = rng.randrange(1, 128), _place(found, rng), _place(found, rng)
    found[at : at + size] = found[start : start + size]


def _cut(found: bytearray, rng: random.Random) -> None:
    start = _place(found, rng)
    del found[start : start + rng.choice((1, 8, 64, len(found)))]


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
    kind = rng.randrange(4)
    if kind == 0:
        holder[key] = deepcopy(rng.choice(ODD_VALUES))
    elif kind == 1:
        holder[key] = deepcopy(other[name])
    elif kind == 2 and isinstance(holder, list):
        holder.insert(key, deepcopy(holder[key]))
    else:
        del holder[key]
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    stack = [value] if isinstance(value, dict | list) else []
    while stack:
        holder = stack.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                stack.append(holder[key])


def operations() -> dict[str, Callable[[Path], object]]:
    """What every mutant meets."""
    import ckpttool
    from ckpttool.comparing.fingerprints import fingerprint
    from ckpttool.conversion import plan
    from ckpttool.describing import describe
    from ckpttool.listing import Choice, list_checkpoint

    good = FIXTURES / "keras3/mlp.keras"

    def opened(operation: Callable[[ckpttool.Checkpoint], object]) -> Callable[[Path], object]:
        def run(path: Path) -> None:
            with ckpttool.open(path) as checkpoint:
                operation(checkpoint)

        return run

    return {
        "ls": opened(lambda checkpoint: list_checkpoint(checkpoint, Choice(stats=True, sha256=True))),
        "info": opened(describe),
        "textconv": opened(fingerprint),
        "verify": opened(lambda checkpoint: ckpttool.verify(checkpoint, checkpoint.path, values=True)),
        "diff": lambda path: ckpttool.diff(path, good),
        "spec": ckpttool.load_spec,
        "plan": lambda path: plan(path, path.with_suffix(".new.keras")),
        "check": ckpttool.check,
    }


def run(first: int, count: int, seed: int) -> None:
    """Runs cases in this process; tells of each as a line of JSON: begun, and what went wrong."""
    from ckpttool import CheckpointError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    jobs = operations()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(first, first + count):
            path = mutant(number, seed, Path(scratch))
            outcome, wrong = "ok", []
            for name, operation in jobs.items():
                print(json.dumps({"case": number, "operation": name}), flush=True)
                signal.alarm(SECONDS)
                try:
                    operation(path)
                except CheckpointError:
                    outcome = "refused"
                except BaseException as error:
                    wrong.append(f"{name}: {_described(error)}")
                finally:
                    signal.alarm(0)
            print(json.dumps({"case": number, "outcome": outcome, "wrong": wrong, "file": path.name}), flush=True)
            path.unlink()


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} seconds")


def _described(error: BaseException) -> str:
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    place = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}" if at else ""
    return f"{type(error).__name__} at {place}: {str(error)[:150]}"


def part(first: int, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """What happened to each case; where the process died, that, and the cases behind it in another process."""
    end = first + count
    while first < end:
        command = [sys.executable, "-m", "tests.fuzzing", "--child", "--first", str(first)]
        command += ["--count", str(end - first), "--seed", str(seed)]
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
        wrong = [f"{lines[-1].get('operation') if lines else 'start'}: died with {child.returncode}"]
        yield {"case": died, "outcome": "died", "wrong": wrong, "file": ""}
        first = died + 1


def main() -> int:
    """Runs all cases and prints what was found; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="directory for the files of the cases that something was found in")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run(options.first, options.count, options.seed)
        return 0
    begun, share = time.monotonic(), -(-options.count // options.jobs)
    starts = range(options.first, options.first + options.count, share)
    ends = options.first + options.count
    with ThreadPoolExecutor(options.jobs) as pool:
        parts = pool.map(lambda start: list(part(start, min(share, ends - start), options.seed)), starts)
        found = [case for cases in parts for case in cases]
    bad = [case for case in found if case["wrong"]]
    for case in bad:
        print(case["case"], case["file"], *case["wrong"], sep="\n  ")
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            mutant(case["case"], options.seed, options.keep)
    outcomes = Counter(case["outcome"] for case in found)
    print(f"{len(found):,} mutants in {time.monotonic() - begun:,.0f} s: {dict(outcomes)}; {len(bad)} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
