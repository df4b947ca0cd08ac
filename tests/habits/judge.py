"""The verdict of Keras 3 on a converted case of the generator: loads compiled, predicts the same, trains, saves again.

By hand: `python -m tests.habits.judge FOLDER...` judges every case of these folders, a line each, and counts.
"""

import json
import os
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ckpttool.conversion import Conversion, convert
from ckpttool.conversion.options import Options
from ckpttool.errors import CheckpointError
from tests.conversion.judge import differences, flat, numbered
from tests.habits import own, own_more
from tests.live import keras

OWN = "tests.habits.own"
TOLERANCE = 2e-5
LOSS_TOLERANCE = 1e-4
HALF_TOLERANCE = 5e-3
"""Of models that compute in float16, in an order that differs between versions of TensorFlow."""
STEP_TOLERANCE = 1e-2
"""Of a step of training, by how far it goes."""


@dataclass(frozen=True)
class Judgement:
    """The fate of a case: "right", "refused", "guessed" (another prediction, after a guess), "announced" (another step
    of training, after a loss or a guess that tells of it) or "contradicted" (a success that Keras does not confirm),
    and why."""

    outcome: str
    why: str = ""


def judged(folder: Path, case: dict[str, Any], target: Path) -> Judgement:
    """Convert a case and hold the result against Keras."""
    try:
        result = converted(folder, case, target)
    except CheckpointError as error:  # a ConversionError, or what Keras 3 would not load is not written
        return Judgement("refused", str(error))
    tolerance = HALF_TOLERANCE if "mixed_float16" in case["habits"] else TOLERANCE
    return against_keras(result, folder / f"{case['name']}.npz", target, tolerance)


def converted(folder: Path, case: dict[str, Any], target: Path) -> Conversion:
    """A case converted, its Lambda layers given anew."""
    by_name = case["keras"].startswith("3.")  # Keras 3 names the functions of Lambda layers, and stores no code
    functions = {} if by_name else {name: _address(function) for name, function in case["lambdas"].items()}
    arch = folder / case["arch"] if "arch" in case else None
    return convert(folder / case["file"], target, arch=arch, options=Options(functions=functions))


def _address(function: str) -> str:
    return f"{OWN}:{function}" if hasattr(own, function) else f"{OWN}_more:{function}"


def against_keras(result: Conversion, record: Path, target: Path, tolerance: float = TOLERANCE) -> Judgement:
    """The judgement of live Keras on what was written."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            problem = _problem(result, record, target, tolerance)
        except Exception as error:
            problem = f"{type(error).__name__}: {str(error)[:300]} at {_last(error)}"
    complaints = [str(warning.message) for warning in warned if "optimizer" in str(warning.message)]
    if not problem and complaints and result.writer != "Keras 3" and not _loses(result, "optimizer"):
        problem = f"Keras warns: {complaints[0][:200]}"
    if not problem:
        return Judgement("right")
    if problem.startswith("steps otherwise") and (remarks := tuple(_of_training(result))):
        return Judgement("announced", f"{problem}: {'; '.join(remarks)}")
    return Judgement("guessed" if result.guesses and problem.startswith("predicts") else "contradicted", problem)


def _of_training(result: Conversion) -> Iterator[str]:
    """The remarks of a conversion on further training."""
    remarks = (*result.losses, *result.guesses)
    return (remark.what for remark in remarks if remark.where in ("compile", "optimizer") or "training" in remark.what)


def _last(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _loses(result: Conversion, where: str) -> bool:
    return any(loss.where in (where, "compile", "optimizer") for loss in result.losses)


def _problem(result: Conversion, record: Path, target: Path, tolerance: float) -> str:
    """The acts of Keras that contradict the success of a conversion; empty where there are none."""
    own_more.use(own.use("keras"))
    module = keras()
    module.utils.clear_session(free_memory=False)  # garbage is searched for in all that was imported
    model = module.models.load_model(target, custom_objects=objects())
    model.run_eagerly = True  # no graph is traced for each of a few batches
    with np.load(record) as arrays:
        inputs, wanted, targets = (numbered(arrays, letter) for letter in "xyt")
        loss = float(arrays["loss"]) if "loss" in arrays else None
    fed = [strings(x) if x.dtype.kind == "U" else x for x in inputs]
    batch = fed if len(fed) > 1 else fed[0]
    outputs = list(flat(model.predict_on_batch(batch)))
    _, relative = differences(outputs, wanted)
    if not relative < tolerance:
        return f"predicts otherwise: {relative:.2g}"
    if loss is None or not model.compiled:
        return "" if loss is None or _loses(result, "compile") else "is not compiled, and nothing was lost"
    goal = targets if len(targets) > 1 else targets[0]
    if _loses(result, "compile") and model._compile_loss is None:
        return ""
    own.forget(model)
    measured = as_first(model.evaluate(batch, goal, verbose=0))
    if not _loses(result, "compile") and not abs(measured - loss) <= max(LOSS_TOLERANCE, tolerance) * max(abs(loss), 1):
        return f"another loss: {measured:.6g}, was {loss:.6g}"
    own.forget(model)
    model.train_on_batch(batch, goal)
    own.forget(model)
    after = list(flat(model.predict_on_batch(batch)))
    far = _distance(after, wanted, record)
    again = target.with_name("again.keras")
    own.forget(model)
    model.save(again)
    second = module.models.load_model(again, custom_objects=objects())
    second.run_eagerly = True
    same = differences(list(flat(second.predict_on_batch(batch))), after)[1]
    if not same < tolerance:
        return f"saved again it predicts otherwise: {same:.2g}"
    return "" if far < max(STEP_TOLERANCE, 20 * tolerance) else f"steps otherwise: {far:.2g}"


def _distance(after: list[np.ndarray], before: list[np.ndarray], record: Path) -> float:
    """The distance from the outputs after a step to those that the writer recorded, by how far its step goes: of the
    model that it saved, or of the one that it loaded, whichever is nearer; 0 where it recorded none."""
    with np.load(record) as arrays:
        recorded = [wanted for letter in "zw" if (wanted := numbered(arrays, letter))]
    distances = []
    for wanted in recorded:
        moved = max(float(np.abs(one - other).max()) for one, other in zip(wanted, before, strict=True))
        noise = 1e-6 * max(float(np.abs(one).max()) for one in wanted)
        distances.append(differences(after, wanted)[0] / max(moved, 100 * noise))
    return min(distances, default=0.0)


def strings(texts: Any) -> Any:
    """Words as a tensor, of which Keras takes no array."""
    import tensorflow

    return tensorflow.constant(texts.tolist())


def as_first(value: Any) -> float:
    """The loss in what `evaluate` gave."""
    return float(value[0] if isinstance(value, list | tuple) else value)


def objects() -> dict[str, Any]:
    """The custom objects that a user gives to Keras: classes and functions of the models' author, for Keras 3."""
    objects = {**own.objects(), **own_more.objects(), "double": own.double, "scaled_by": own.scaled_by}
    taken = [name for name in ("gelu", "swish", "hard_swish", "mish") if hasattr(keras().activations, name)]
    others = {name: _called_otherwise(objects[name]) for name in taken}
    return {**objects, **others, **{entry.__name__: entry for entry in others.values()}, "identity": identity}


def identity(x: Any) -> Any:
    """TensorFlow's function of this name, which people give as an activation and Keras 3 does not know."""
    return x


def _called_otherwise(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function under a name that Keras 3 has not, as convert advises, since it saves its own by their names alone."""

    def own_one(x: Any) -> Any:
        return function(x)

    own_one.__name__ = f"own_{function.__name__}"
    return own_one


def cases_in(folder: Path) -> Iterator[dict[str, Any]]:
    """The cases of a folder."""
    for line in (folder / "cases.jsonl").read_text("utf-8").splitlines():
        yield json.loads(line)


def main() -> None:
    """Judge whole folders."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    counts = Counter[str]()
    for folder in map(Path, sys.argv[1:]):
        for case in cases_in(folder):
            with tempfile.TemporaryDirectory() as scratch:
                try:
                    judgement = judged(folder, case, Path(scratch) / "new.keras")
                except Exception as error:
                    judgement = Judgement("failed", f"{type(error).__name__}: {error} at {_last(error)}")
            counts[judgement.outcome] += 1
            if judgement.outcome != "right":
                habits = ", ".join(case["habits"])
                why = judgement.why.replace("\n", " | ")[:700]
                print(f"{judgement.outcome:12} {case['file']}: {why}  [{habits}]", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
