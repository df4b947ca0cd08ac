"""Mutants read by ckpttool and by others: whatever they see differently, ckpttool refuses or flags.

    python -m tests.formats.differential [--count 5000] [--seed 1] [--first 0] [--python PYTHON] [--keep DIRECTORY]

Run by hand; the tests run a few. Every case follows from the seed and its number. HDF5 is compared with h5py in a child
process with limits, which any Python with another version of h5py can be; archives with zipfile and with a reader that
goes from header to header; JSON with a reader that takes the first of equal keys. Exit code 1 says that a difference
was neither refused nor flagged.
"""

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckpttool.checks.policy import Policy
from ckpttool.checks.runner import check_file
from ckpttool.errors import CheckpointError
from ckpttool.formats.hdf5.attributes import Attributes
from ckpttool.formats.hdf5.chunks import ChunkReader
from ckpttool.formats.hdf5.objects import Dataset
from ckpttool.formats.hdf5.tree import Tree, read_tree
from ckpttool.formats.hdf5.values import problem, values_of
from ckpttool.io.sources import FileSource
from tests.formats import documents_mutants, zip_mutants
from tests.formats.hdf5 import mutants

View = dict[str, Any]
SAFETY = Policy(select=("S", "I101"))


@dataclass
class Case:
    """A mutant, what was done to it, and what came of it: `same`, `refused`, `flagged`, or what is wrong."""

    number: int
    family: str
    done: list[str]
    outcome: str = "same"
    wrong: list[str] = field(default_factory=list)


class Child:
    """h5py in a process of its own, started anew after a crash or a hang."""

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._process: subprocess.Popen[str] | None = None

    def view(self, path: Path, probes: list[str]) -> View:
        """The view of h5py; the key `error` where it opens nothing, or dies."""
        if self._process is None:
            script = str(Path(__file__).with_name("h5py_view.py"))
            self._process = subprocess.Popen(
                [self._python, script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(path), probes]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if line:
            answer: View = json.loads(line)
            return answer
        status = self._process.wait()
        self.close()
        return {"error": f"died with {status}"}

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def our_view(path: Path) -> View:
    """The view of ckpttool on an HDF5 file, in the form of the child's."""
    source, reader = FileSource(path), ChunkReader(str(path))
    try:
        tree = read_tree(source)
        objects = {name: {"kind": "group", "attributes": _attributes(owner)} for name, owner in tree.groups.items()}
        for name, dataset in tree.datasets.items():
            objects[name] = _dataset(tree, name, dataset, reader) | {"attributes": _attributes(tree.attributes[name])}
        return {"objects": objects}
    except CheckpointError as error:
        return {"error": str(error)}
    finally:
        reader.close()
        source.close()


def _attributes(owner: Attributes) -> View:
    try:
        return {name: _attribute(owner, name) for name in owner.names()}
    except CheckpointError as error:
        return {"?": f"error {error.what}"}


def _attribute(owner: Attributes, name: str) -> Any:
    try:
        return _plain(owner.get(name))
    except CheckpointError as error:
        return {"error": error.what}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").rstrip(b"\0").decode("latin-1")
    return None if value is None else repr(value)


def _dataset(tree: Tree, name: str, dataset: Dataset, reader: ChunkReader) -> View:
    shape = None if dataset.shape is None else list(dataset.shape)
    view: View = {"kind": "dataset", "shape": shape, "itemsize": dataset.dtype.size}
    if dataset.layout.kind == "chunked" and problem(tree.file, dataset) is None:
        return view  # h5py itself puts these together, in a child process
    try:
        digest = hashlib.sha256()
        for piece in values_of(tree.file, name, dataset, reader).pieces(1 << 20):
            digest.update(piece)
        view["sha256"] = digest.hexdigest()
    except CheckpointError as error:
        view["sha256"] = f"error {error.what}"
    return view


def differences(ours: View, theirs: View) -> list[str]:
    """The differences of two views in sentences; an object that only the other side refuses is no second view."""
    if "error" in ours or "error" in theirs:
        return []
    mine, other = ours["objects"], theirs["objects"]
    differences = []
    for path in sorted({*mine, *other}):
        one, two = mine.get(path), other.get(path)
        if (two is not None and ("error" in two or two["kind"] in ("type", "link"))) or _is_below_error(path, other):
            continue
        if one is None or two is None or one["kind"] != two["kind"]:
            differences.append(f"{path}: {one and one['kind']} here, {two and two['kind']} there")
            continue
        if one["kind"] == "dataset":
            differences += [
                f"{path}: {key} {one[key]} here, {two[key]} there"
                for key in ("shape", "itemsize", "sha256")
                if key in two and key in one and one[key] != two[key] and not str(two[key]).startswith("error")
            ]
        differences += _attribute_differences(path, one["attributes"], two["attributes"])
    return differences


def _is_below_error(path: str, objects: View) -> bool:
    """Whether an object stands in a group that the other side cannot list."""
    above = [path[:at] for at, char in enumerate(path) if char == "/"] + [""]
    return any("error" in objects.get(name, {}) for name in above if name != path)


def _attribute_differences(path: str, ours: View, theirs: View) -> list[str]:
    if "?" in theirs:
        return []
    names = {name for name in (*ours, *theirs) if not isinstance(theirs.get(name, ours.get(name)), dict)}
    return [
        f"{path} attribute {name}: {str(ours.get(name, 'none'))[:60]} here, {str(theirs.get(name, 'none'))[:60]} there"
        for name in sorted(names)
        if (name in ours) != (name in theirs)
        or (theirs[name] is not None and ours[name] != theirs[name] and not isinstance(ours[name], dict))
    ]


def refused_by_them_alone(ours: View, theirs: View) -> list[str]:
    """The objects that only the other side refuses."""
    if "error" in theirs:
        return [] if "error" in ours else [f"file: {theirs['error']}"]
    if "error" in ours:
        return []
    differences = []
    for path, two in theirs["objects"].items():
        own = ours["objects"].get(path)
        if own is None:
            continue
        if "error" in two:
            differences.append(f"{path}: {two['error']}")
        if str(two.get("sha256", "")).startswith("error") and not str(own.get("sha256", "")).startswith("error"):
            differences.append(f"{path}: values {two['sha256']}")
        for name, value in two.get("attributes", {}).items():
            mine = own.get("attributes", {})
            if (name == "?" and "?" not in mine) or (isinstance(value, dict) and not isinstance(mine.get(name), dict)):
                differences.append(f"{path} attribute {name}: {value}")
    return differences


def is_flagged(path: Path) -> bool:
    """Whether `ckpttool check` says of a file that it is unsafe or damaged."""
    return check_file(str(path), SAFETY).verdict(None) not in ("clean", "passed")


def hdf5_case(number: int, seed: int, folder: Path, child: Child) -> Case:
    """One mutant of HDF5."""
    data, probes, done = mutants.mutant(random.Random(f"hdf5/{seed}/{number}"))
    path = folder / f"mutant{number}.h5"
    path.write_bytes(data)
    case = Case(number, "hdf5", done)
    ours = our_view(path)
    if "error" in ours:
        case.outcome = "refused"
    elif is_flagged(path):
        case.outcome = "flagged"
    else:  # h5py takes long over what is broken, and dies of some
        theirs = child.view(path, probes)
        wrong, alone = differences(ours, theirs), refused_by_them_alone(ours, theirs)
        if wrong or alone:
            case.outcome, case.wrong = ("wrong", wrong) if wrong else ("refused by them alone", alone)
    path.unlink()
    return case


def other_case(family: str, number: int, seed: int, folder: Path) -> Case:
    """One mutant of an archive or of a JSON document."""
    makers = zip_mutants if family == "zip" else documents_mutants
    data, views, done = makers.mutant(random.Random(f"{family}/{seed}/{number}"))
    path = folder / f"mutant{number}.keras"
    path.write_bytes(data)
    case = Case(number, family, done)
    try:
        ours = makers.our_view(path)
    except CheckpointError:
        case.outcome = "refused"
    else:
        wrong = [
            f"{name}: {difference}" for name, view in views(data).items() for difference in makers.compare(ours, view)
        ]
        if is_flagged(path):
            case.outcome = "flagged"
        elif wrong:
            case.outcome, case.wrong = "wrong", wrong
    path.unlink()
    return case


def run(first: int, count: int, seed: int, python: str = sys.executable) -> list[Case]:
    """All cases of these numbers: seven in ten are HDF5, two archives, one is JSON."""
    child, answers = Child(python), []
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(first, first + count):
                if number % 10 < 7:
                    answers.append(hdf5_case(number, seed, Path(folder), child))
                else:
                    family = "json" if number % 10 == 9 else "zip"
                    answers.append(other_case(family, number, seed, Path(folder)))
    finally:
        child.close()
    return answers


def main() -> int:
    """Runs cases and prints what was found; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="a Python with another h5py")
    parser.add_argument("--verbose", action="store_true", help="what only the other side refuses, too")
    options = parser.parse_args()
    begun = time.monotonic()
    cases = run(options.first, options.count, options.seed, options.python)
    wanted = ("wrong", "refused by them alone") if options.verbose else ("wrong",)
    for case in cases:
        if case.outcome in wanted:
            print(case.number, case.family, *case.done, case.outcome, *case.wrong[:5], sep="\n  ")
    for family in ("hdf5", "zip", "json"):
        print(family, dict(Counter(case.outcome for case in cases if case.family == family)))
    print(f"{len(cases):,} mutants in {time.monotonic() - begun:,.0f} s")
    return 1 if any(case.outcome == "wrong" for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
