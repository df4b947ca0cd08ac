"""Random models of Keras 2.15 converted and held against what it predicted: a score, and what is not equal.

    python -m tests.benchmarks.convert_models FOLDER... [--python PYTHON --seed N --count 300] [--judge PYTHON]

A folder is what `tests/conversion/old_models.py` wrote. With `--python`, that of an environment with tensorflow-cpu
2.15.1, the first folder is written before, which takes some two seconds for each model; so is each conversion. With
`--judge`, that of an environment with another Keras 3 and its TensorFlow, the converted files are loaded there. Exit
code 1 says that a prediction, or a step of training, was another, or that something was refused that need not be.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ckpttool.errors import ConversionError
from tests.conversion.judge import Verdict, judged
from tests.conversion.test_old_models import REFUSED, TOLERANCES, converted

GENERATOR = Path(__file__).parents[1] / "conversion" / "old_models.py"
JUDGE = Path(__file__).parents[1] / "conversion" / "judge.py"
MAX_STEP = 1e-2
ARGUMENT = "which Keras 3 has no more"  # an interpolation


Judge = Callable[..., Verdict]
"""Gives the verdict on a converted file, as `judged` does."""


@contextmanager
def judge_of(python: Path | None) -> Iterator[Judge]:
    """The judge of this process, or one in a process of another Python."""
    if python is None:
        yield judged
        return
    command = [str(python), str(JUDGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        jobs, verdicts = process.stdin, process.stdout
        assert jobs is not None
        assert verdicts is not None

        def elsewhere(file: Path, record: Path, inputs: list[str] | None, step: bool) -> Verdict:
            job = {"file": str(file), "record": str(record), "inputs": inputs, "step": step}
            print(json.dumps(job), file=jobs, flush=True)
            verdict: Verdict = json.loads(verdicts.readline())
            if "error" in verdict:
                raise ValueError(verdict["error"].splitlines()[-1][:300])
            return verdict

        yield elsewhere
        jobs.close()


def main() -> int:
    """Prints a line for each model that is not equal, and the score."""
    options = _options()
    if options.python:
        command = [options.python, GENERATOR, options.folders[0], "--seed", options.seed, "--count", options.count]
        subprocess.run([str(part) for part in command], check=True, cwd=GENERATOR.parent)
    score, classes = Counter[str](), set[str]()
    with judge_of(options.judge) as judge:
        for folder in options.folders:
            for model in json.loads((folder / "manifest.json").read_text())["models"]:
                result, why = outcome(folder, model, judge)
                score[result] += 1
                classes |= set(model["classes"])
                if result in ("other", "failed", "other step"):
                    print(f"{folder.name}/{model['name']}: {result}: {why}", flush=True)
    print(", ".join(f"{count} {result}" for result, count in score.most_common()), f"of {score.total()}")
    print(f"{len(classes)} classes")
    return 1 if {"other", "failed", "other step"} & score.keys() else 0


def outcome(folder: Path, model: dict[str, Any], judge: Judge = judged) -> tuple[str, str]:
    """The outcome for a model, and the reason."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, "new.keras")
        refused = REFUSED & set(model["classes"])
        try:
            result = converted(folder, model, target)
        except ConversionError as error:
            known = refused or all(ARGUMENT in refusal.what for refusal in error.refusals)
            return ("refused", "") if known else ("failed", str(error))
        except Exception as error:
            return "failed", f"{type(error).__name__}: {error}"
        try:
            verdict = judge(target, folder / f"{model['name']}.npz", model["inputs"], model["step"])
        except Exception as error:
            return "failed", f"{type(error).__name__}: {error}"
    return next(_differences(model, verdict, bool(result.losses)), ("equal", ""))


def _differences(model: dict[str, Any], verdict: Verdict, lost: bool) -> Iterator[tuple[str, str]]:
    if not verdict["relative"] < TOLERANCES[model["policy"]]:
        yield "other", f"by {verdict['relative']:.2g} {model['policy']} {model['classes']} {model['features']}"
    step = verdict["step"]
    if step is not None and not lost and not step < MAX_STEP:
        yield "other step", f"by {step:.2g} {model['optimizer']} {model['classes']}"
    if step is not None and not lost:
        yield "equal with the next step", ""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--python", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
