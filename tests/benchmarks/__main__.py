"""Measures `ckpttool` against other ways to look into a checkpoint, and against its own targets.

    python -m tests.benchmarks [--cache DIRECTORY] [--runs 7] [--old CHECKOUT]

Needs keras, TensorFlow and h5py; `h5ls` (hdf5-tools) is measured too where it is installed. Every command is a whole
process, run in turn with the one that it is compared with (A B A B ...), after one run of each that does not count.
Figures are medians, ratios the medians over the pairs, memory the peak of any run. With `--old`, commands on small
files are measured against those of another checkout, by processor time, which other work on the machine changes less.
Takes some minutes, 3 GB on disk and is no part of the tests. Exit code 1 says that a target was missed.
"""

import argparse
import os
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.inputs import WEIGHTS, Inputs, inputs_in
from tests.benchmarks.measurement import Command, Measurement, in_turn
from tests.formats.tensorflow import writer

PEERS = Path(__file__).parent / "peers"
MAX_HELP_SECONDS = 0.15
MAX_LS_BYTES = 60_000_000
MAX_VERIFY_BYTES = 80_000_000
MAX_CONVERT_BYTES = 250_000_000
MAX_DIFF_BYTES = 120_000_000
MAX_CHECK_BYTES = 150_000_000
MAX_REPORT_BYTES = 120_000_000
MAX_OVER_STATS = 2.5
MAX_OVER_CAT = 2.5  # start-up counts on both sides
MAX_GRAPH_SECONDS = 3.0
MAX_DIFF_SECONDS = 0.8  # of the pair of many weights
MAX_OVER_CMP = 1.6  # beyond start-up
MAX_OVER_CP = 4.0
MAX_PROCESSOR_OVER_H5DIFF = 1.0
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
_MB = 1_000_000
_TITLES = f"{'ours':<34}seconds   MB  {'other':<34}seconds   MB  ours/other"
HEADER = f"{_TITLES}\n{'-' * len(_TITLES)}"


@dataclass(frozen=True)
class Comparison:
    """Two commands that are run in turn. `limit` is what ours may take at most, as a multiple of the other's time."""

    ours: Command
    other: Command | None = None
    limit: float | None = None
    by_processor: bool = False


@dataclass(frozen=True)
class Result:
    """The result of a comparison."""

    comparison: Comparison
    ours: Sequence[Measurement]
    other: Sequence[Measurement] = ()

    @property
    def ratio(self) -> float | None:
        """The median of our time over the other's, pair by pair."""
        pairs = list(zip(self.ours, self.other, strict=False))
        if self.comparison.by_processor:
            return statistics.median(ours.processor / other.processor for ours, other in pairs) if pairs else None
        return statistics.median(ours.seconds / other.seconds for ours, other in pairs) if pairs else None


@dataclass(frozen=True)
class Verdict:
    """One target: what was promised, what was measured."""

    promise: str
    measured: str
    met: bool


def main() -> int:
    """Measures everything and prints it; gives the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(options.cache or scratch).resolve()
        inputs = inputs_in(directory)
        print(HEADER, flush=True)
        results = []
        for comparison in (*_against_old(options.old, directory), *comparisons(inputs)):
            result = measured(comparison, options.runs, directory)
            print(line(result), flush=True)
            results.append(result)
    if shutil.which("h5ls") is None:
        print("h5ls is not installed: not measured")
    verdicts = list(judged(results))
    print()
    for verdict in verdicts:
        print(f"{'met   ' if verdict.met else 'MISSED'}  {verdict.promise}: {verdict.measured}")
    return 0 if all(verdict.met for verdict in verdicts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--cache", metavar="DIRECTORY", help="keep the models there; a temporary directory if not given"
    )
    parser.add_argument("--old", metavar="CHECKOUT", help="another checkout, whose commands are measured too")
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each command [7]")
    return parser.parse_args()


def comparisons(inputs: Inputs) -> Iterator[Comparison]:
    """The comparisons, and their targets."""
    ls = _ckpttool("ls", inputs.weights)
    if shutil.which("h5ls"):
        yield Comparison(ls, Command("h5ls -r", ("h5ls", "-r", str(inputs.weights)), WEIGHTS))
    yield Comparison(ls, Command("python -c 'import h5py'", (sys.executable, "-c", "import h5py")))
    yield Comparison(ls, _peer("h5py walk", "walk.py", inputs.weights), 1.15)
    yield Comparison(ls, _peer("KerasFileEditor", "editor.py", inputs.weights), 1 / 12)
    yield Comparison(_ckpttool("ls", inputs.model), _peer("KerasFileEditor", "editor.py", inputs.model), 1 / 12)
    yield Comparison(_ckpttool("ls", inputs.sparse), ls, 1.2)
    yield Comparison(
        _ckpttool("ls --stats", inputs.weights), _peer("NumPy statistics", "statistics_of.py", inputs.weights)
    )
    verify = Command(
        f"ckpttool verify {inputs.weights.name}",
        (sys.executable, "-m", "ckpttool", "verify", str(inputs.weights), str(inputs.architecture), "-o", "json"),
    )
    script = (sys.executable, str(PEERS / "loader.py"), str(inputs.weights), str(inputs.architecture))
    yield Comparison(verify, Command(f"Keras load_weights {inputs.weights.name}", script, WEIGHTS), 1 / 15)
    yield from _tensorflow(inputs.weights.parent)
    yield from _diffs(inputs)
    yield from _conversions(inputs)
    yield from _checks(inputs)
    yield from _reports(inputs)
    yield from (Comparison(_graph(path)) for path in (inputs.architecture, inputs.residual, inputs.inception))
    yield Comparison(Command("ckpttool --help", (sys.executable, "-m", "ckpttool", "--help")))


def _tensorflow(directory: Path) -> Iterator[Comparison]:
    """Checkpoints of TensorFlow, listed by itself too: a small one, one of many tensors, and one of a gigabyte."""
    small = str(FIXTURES / "tensorflow/2.15/mlp.ckpt")
    many = _bundle(directory / "many", 2_000, 64)
    large = _bundle(directory / "large", 25, 40_000_000)
    listings = {prefix: _listing(prefix) for prefix in (small, many, large)}
    for prefix, limit in ((small, 1 / 30), (many, 1 / 15)):
        script = f"import tensorflow as tf; print(tf.train.list_variables({prefix!r}))"
        other = Command(f"tf.train.list_variables {Path(prefix).name}", (sys.executable, "-c", script))
        yield Comparison(listings[prefix], other, limit, by_processor=True)
    yield Comparison(listings[large], listings[small], 1.2, by_processor=True)
    source, target = str(FIXTURES / "tensorflow/2.15_trained/adam"), str(directory / "adam.keras")
    argv = (sys.executable, "-m", "ckpttool", "convert", source, target, "--force", "--no-prove", "-o", "json")
    imported = Command("import tensorflow", (sys.executable, "-c", "import tensorflow"))
    yield Comparison(Command("ckpttool convert a SavedModel", argv), imported, 1.0, by_processor=True)


def _listing(prefix: str) -> Command:
    return Command(f"ckpttool ls {Path(prefix).name}", (sys.executable, "-m", "ckpttool", "ls", prefix))


def _bundle(folder: Path, tensors: int, nbytes: int) -> str:
    """The prefix of a checkpoint of so many tensors of so many bytes, which are zeros that take no room on disk."""
    names = sorted(f"layer_{number}/kernel".encode() for number in range(tensors))
    entries = (writer.entry(1, [nbytes // 4], at * nbytes, nbytes) for at in range(tensors))
    index = writer.write(folder, list(zip(names, entries, strict=True)), name=folder.name)
    os.truncate(index.with_name(f"{folder.name}.data-00000-of-00001"), tensors * nbytes)
    return str(index.with_suffix(""))


def _against_old(checkout: str | None, directory: Path) -> Iterator[Comparison]:
    """Commands on small files, with those of another checkout: most of their time is start-up."""
    if checkout is None:
        return
    model, legacy = str(FIXTURES / "keras3/mlp.keras"), str(FIXTURES / "keras2.15/mlp.h5")
    target = str(directory / "small.keras")
    for limit, arguments in (
        (1.0, ("ls", model)),
        (1.0, ("info", model)),
        (1.0, ("check", "--no-config", model)),
        (1.0, ("verify", model, model)),
        (1 / 1.3, ("diff", model, model)),
        (1 / 1.3, ("convert", legacy, target, "--force", "--dry-run")),
    ):
        ours, other = (_from(root, arguments) for root in (str(FIXTURES.parent), checkout))
        yield Comparison(ours, replace(other, title=f"{other.title} before"), limit, by_processor=True)


def _from(root: str, arguments: Sequence[str]) -> Command:
    code = f"import sys; sys.path.insert(0, {root!r}); from ckpttool.__main__ import main; main()"
    return Command(f"small {arguments[0]}", (sys.executable, "-c", code, *arguments))


def _diffs(inputs: Inputs) -> Iterator[Comparison]:
    """Pairs of checkpoints: all values different, all the same, many weights."""
    changed = _diff("diff, changed", inputs.vgg, inputs.vgg_changed, 1)
    if shutil.which("h5diff"):
        paths = (str(inputs.vgg), str(inputs.vgg_changed))
        h5diff = Command("h5diff VGG16", ("h5diff", *paths), code=1)
        yield Comparison(changed, h5diff, 0.6)
        processor = "by processor time"
        yield Comparison(
            replace(changed, title=f"{changed.title}, {processor}"),
            h5diff,
            MAX_PROCESSOR_OVER_H5DIFF,
            by_processor=True,
        )
    else:
        yield Comparison(changed)
    paths = (str(inputs.vgg), str(inputs.vgg_copy))
    yield Comparison(_diff("diff, equal", inputs.vgg, inputs.vgg_copy, 0), Command("cmp VGG16", ("cmp", *paths)))
    yield Comparison(_diff("diff, many", inputs.weights, inputs.weights_changed, 1))


def _conversions(inputs: Inputs) -> Iterator[Comparison]:
    """Whole models of the legacy layout to `.keras`: as Keras loads and saves them, and as they are copied."""
    for path, limit in ((inputs.vgg_whole, 1 / 5), (inputs.whole, 1 / 6)):
        target = path.with_suffix(".converted.keras")
        argv = (sys.executable, "-m", "ckpttool", "convert", str(path), str(target), "--force", "-o", "json")
        ours = Command(f"ckpttool convert {path.name}", argv)
        script = (sys.executable, str(PEERS / "converter.py"), str(path), str(path.with_suffix(".saved.keras")))
        yield Comparison(ours, Command(f"Keras load, save {path.name}", script), limit)
        cp = Command(f"cp {path.name}", ("cp", str(path), str(path.with_suffix(".copy.h5"))))
        yield Comparison(ours, cp, MAX_OVER_CP if path == inputs.vgg_whole else None)


def _checks(inputs: Inputs) -> Iterator[Comparison]:
    """All rules on VGG16, whose values are read once, and plain reading after start-up."""
    path = inputs.vgg_whole
    start_up = f"{shlex.quote(sys.executable)} -m ckpttool --help > {os.devnull}"
    script = f"{start_up} && cat {shlex.quote(str(path))} > {os.devnull}"
    check = Command(
        f"ckpttool check {path.name}", (sys.executable, "-m", "ckpttool", "check", "--no-config", str(path))
    )
    yield Comparison(check, Command(f"start-up and cat {path.name}", ("sh", "-c", script)), MAX_OVER_CAT)


def _reports(inputs: Inputs) -> Iterator[Comparison]:
    """The page with everything about EfficientNetB7 and its 1,040 weights, and their statistics alone."""
    page = inputs.model.with_suffix(".html")
    argv = (sys.executable, "-m", "ckpttool", "report", "--isolated", str(inputs.model), "-o", str(page))
    report = Command(f"ckpttool report {inputs.model.name}", argv)
    yield Comparison(report, _ckpttool("ls --stats", inputs.model), MAX_OVER_STATS)


def _diff(title: str, a: Path, b: Path, code: int) -> Command:
    argv = (sys.executable, "-m", "ckpttool", "diff", "-q", str(a), str(b))
    return Command(f"ckpttool {title} {a.name.split('.')[0]}", argv, code=code)


def _ckpttool(command: str, file: Path) -> Command:
    argv = (sys.executable, "-m", "ckpttool", *command.split(), str(file))
    return Command(f"ckpttool {command} {file.name}", argv, WEIGHTS)


def _graph(architecture: Path) -> Command:
    argv = (sys.executable, "-m", "ckpttool", "graph", str(architecture), "-o", "svg")
    return Command(f"ckpttool graph {architecture.name}", argv)


def _peer(title: str, script: str, file: Path) -> Command:
    return Command(f"{title} {file.name}", (sys.executable, str(PEERS / script), str(file)), WEIGHTS)


def measured(comparison: Comparison, runs: int, directory: Path) -> Result:
    """A comparison, run."""
    commands = [command for command in (comparison.ours, comparison.other) if command]
    return Result(comparison, *in_turn(commands, runs, directory / "bytecode"))


def line(result: Result) -> str:
    """One result for people."""
    other = result.comparison.other
    lines = f"{result.comparison.ours.title:<34}{_figures(result.ours)}"
    if other is not None and result.ratio is not None:
        lines += f"{other.title:<34}{_figures(result.other)}{_ratio(result.ratio):>10}"
    return lines.rstrip()


def _figures(measurements: Sequence[Measurement]) -> str:
    return f"{seconds(measurements):7.3f} {peak(measurements) / _MB:4.0f}  "


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value > 0.3 else f"1/{1 / value:.3g}"


def seconds(measurements: Sequence[Measurement]) -> float:
    """The median time."""
    return statistics.median(measurement.seconds for measurement in measurements)


def peak(measurements: Sequence[Measurement]) -> int:
    """The most memory that any run took, in bytes."""
    return max(measurement.peak for measurement in measurements)


def judged(results: Sequence[Result]) -> Iterator[Verdict]:
    """The targets and whether they are met."""
    for result in results:
        limit, ratio, other = result.comparison.limit, result.ratio, result.comparison.other
        if limit is not None and ratio is not None and other is not None:
            promise = f"{result.comparison.ours.title} takes at most {_ratio(limit)} of {other.title}"
            yield Verdict(promise, _ratio(ratio), ratio <= limit)
    listings = [result for result in results if result.comparison.ours.title.startswith("ckpttool ls ")]
    memory = max(peak(result.ours) for result in listings if "--stats" not in result.comparison.ours.title)
    yield Verdict(
        f"ckpttool ls stays under {MAX_LS_BYTES / _MB:.0f} MB", f"{memory / _MB:.1f} MB", memory < MAX_LS_BYTES
    )
    memory = max(peak(result.ours) for result in results if " verify " in result.comparison.ours.title)
    yield Verdict(
        f"ckpttool verify stays under {MAX_VERIFY_BYTES / _MB:.0f} MB",
        f"{memory / _MB:.1f} MB",
        memory < MAX_VERIFY_BYTES,
    )
    memory = max(peak(result.ours) for result in results if " convert " in result.comparison.ours.title)
    promise = f"ckpttool convert stays under {MAX_CONVERT_BYTES / _MB:.0f} MB"
    yield Verdict(promise, f"{memory / _MB:.1f} MB", memory < MAX_CONVERT_BYTES)
    memory = max(peak(result.ours) for result in results if " check " in result.comparison.ours.title)
    promise = f"ckpttool check stays under {MAX_CHECK_BYTES / _MB:.0f} MB"
    yield Verdict(promise, f"{memory / _MB:.1f} MB", memory < MAX_CHECK_BYTES)
    memory = max(peak(result.ours) for result in results if " report " in result.comparison.ours.title)
    promise = f"ckpttool report stays under {MAX_REPORT_BYTES / _MB:.0f} MB"
    yield Verdict(promise, f"{memory / _MB:.1f} MB", memory < MAX_REPORT_BYTES)
    slowest = max(seconds(result.ours) for result in results if " graph " in result.comparison.ours.title)
    promise = f"ckpttool graph draws each of three models in under {MAX_GRAPH_SECONDS} s"
    yield Verdict(promise, f"{slowest:.2f} s", slowest < MAX_GRAPH_SECONDS)
    yield from _judged_diffs({result.comparison.ours.title: result for result in results}, seconds(results[-1].ours))
    taken = seconds(results[-1].ours)
    yield Verdict(f"ckpttool --help takes under {MAX_HELP_SECONDS} s", f"{taken:.3f} s", taken < MAX_HELP_SECONDS)


def _judged_diffs(results: Mapping[str, Result], start_up: float) -> Iterator[Verdict]:
    """The targets of `diff` that are no plain ratios."""
    equal = results["ckpttool diff, equal VGG16"]
    beyond = (seconds(equal.ours) - start_up) / seconds(equal.other)
    promise = f"diff of an equal pair takes at most {MAX_OVER_CMP} of cmp beyond start-up"
    yield Verdict(promise, f"{beyond:.2f}", beyond <= MAX_OVER_CMP)
    many = seconds(results["ckpttool diff, many B7"].ours)
    promise = f"diff of a pair of {WEIGHTS:,} weights takes at most {MAX_DIFF_SECONDS} s"
    yield Verdict(promise, f"{many:.2f} s", many <= MAX_DIFF_SECONDS)
    memory = max(peak(result.ours) for title, result in results.items() if title.startswith("ckpttool diff"))
    promise = f"ckpttool diff stays under {MAX_DIFF_BYTES / _MB:.0f} MB"
    yield Verdict(promise, f"{memory / _MB:.1f} MB", memory < MAX_DIFF_BYTES)


if __name__ == "__main__":
    sys.exit(main())
