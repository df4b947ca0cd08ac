"""The results of ckpttool for the checkpoints and SavedModels of `old_artefacts.py`, beside those of TensorFlow.

python -m tests.formats.tensorflow.artefact_score FOLDER...
"""

import hashlib
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import ckpttool
from ckpttool.alignment.alignment import align
from ckpttool.conversion import convert
from ckpttool.errors import CheckpointError, ConversionError
from ckpttool.model import architecture_of

PREFIXES = {"weights": "weights", "objects": "objects", "saved": "saved/variables/variables"}


def digest(weight: Any) -> list[Any]:
    """The dtype, the shape and the sum of the bytes of a weight, texts with their lengths."""
    if weight.dtype == "string":
        raw = b"".join(b"%d:%s" % (len(text), text) for text in weight.read().ravel().tolist())
        return ["string", list(weight.shape), hashlib.sha256(raw).hexdigest()]
    value = weight.read()
    return [weight.dtype, list(weight.shape), hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()]


def tensors(folder: Path, record: dict[str, Any]) -> list[str]:
    """The tensors that are read otherwise than TensorFlow read them."""
    wrong = []
    for form, wanted in record["tensors"].items():
        with ckpttool.open(folder / f"{PREFIXES[form]}.index") as checkpoint:
            seen = {path for path in checkpoint.weights}
            known = {
                key
                for key in wanted
                if not key.endswith("OBJECT_CONFIG_JSON") and key != "_CHECKPOINTABLE_OBJECT_GRAPH"
            }
            if seen != known:
                wrong.append(f"{form}: names {sorted(seen ^ known)[:3]}")
            for path in sorted(seen & known):
                weight, (kind, shape, sha) = checkpoint.weights[path], wanted[path]
                if kind == "?":
                    continue
                seen_values = digest(weight)
                if seen_values[:2] != [kind, shape] or (seen_values[2] and seen_values[2] != sha):
                    wrong.append(f"{form}: {path}: {seen_values} {kind, shape, sha}")
            if checkpoint.refusals:
                wrong.append(f"{form}: refusals {checkpoint.refusals[:2]}")
    return wrong


def whole(folder: Path) -> Path | None:
    """The `.h5` of a model, or the `.keras` that Keras 3 wrote; None where there is neither."""
    return next((path for name in ("model.h5", "model.keras") if (path := folder / name).is_file()), None)


def slots(folder: Path, record: dict[str, Any]) -> tuple[int, list[str]]:
    """Slots by value against the whole model of Keras."""
    file = whole(folder)
    if file is None:
        return 0, []
    count, wrong = 0, []
    with ckpttool.open(file) as h5:
        architecture = architecture_of(h5)
        if architecture is None or not architecture.layers:
            return 0, []
        wanted = {aligned.place.label: aligned for aligned in align(h5, architecture).aligned}
        for form in record["tensors"]:
            with ckpttool.open(folder / ("saved" if form == "saved" else f"{form}.index")) as checkpoint:
                seen_values = {aligned.place.label: aligned for aligned in align(checkpoint, architecture).aligned}
                for label in wanted.keys() ^ seen_values.keys():
                    wrong.append(f"{form}: slot {label} {'missing' if label in wanted else 'beyond'}")
                for label in wanted.keys() & seen_values.keys():
                    count += 1
                    a, b = wanted[label].stored, seen_values[label].stored
                    if not np.array_equal(a[0].weight.read(), b[0].weight.read()):
                        wrong.append(f"{form}: slot {label} differs")
    return count, wrong


def state(folder: Path, record: dict[str, Any], scratch: Path) -> tuple[int, list[str]]:
    """The optimizer's state against that of the whole model of Keras, both converted."""
    file = whole(folder)
    if file is None:
        return 0, []
    seen_values = {}
    for name in (file.name, *(("objects",) if file.suffix == ".keras" else ("saved", "weights"))):
        source = folder / (f"{name}.index" if name in ("weights", "objects") else name)
        if not source.exists():
            continue
        target = scratch / "state.keras"
        try:
            conversion = convert(source, target, force=True, arch=file if source.suffix == ".index" else None)
        except CheckpointError:
            continue
        with ckpttool.open(target) as written:
            seen_values[name] = (
                {w.path: w.read() for w in written.values() if w.path.startswith("optimizer/")},
                [loss.what for loss in conversion.losses],
            )
    if file.name not in seen_values:
        return 0, []
    wanted, _ = seen_values[file.name]
    wrong, count = [], 0
    for name in seen_values.keys() - {file.name}:
        values, lost = seen_values[name]
        if wanted.keys() != values.keys():
            wrong.append(f"state of {name}: {len(values)} of {len(wanted)}: {lost[:2]}")
            continue
        bad = [
            path for path in wanted if not np.array_equal(wanted[path], values[path]) and "learning_rate" not in path
        ]
        count += len(wanted)
        if bad:
            wrong.append(
                f"state of {name} differs: {bad[:3]}; {wanted[bad[0]].ravel()[:2]} {values[bad[0]].ravel()[:2]}"
            )
    return count, wrong


def distance(outputs: Any, wanted: Any) -> float:
    """The largest difference of two outputs; of texts 1 where any differ."""
    if wanted.dtype.kind == "U":
        return float((outputs.astype(object).astype(str) != wanted).any())
    return float(np.abs(outputs.astype("float64") - wanted).max())


def predicted(folder: Path, record: dict[str, Any], scratch: Path, step: bool) -> tuple[str, str]:
    """The verdict of live Keras 3 on the converted SavedModel."""
    import keras

    if not (folder / "saved/saved_model.pb").is_file():
        return "no SavedModel", record["forms"].get("saved", "")
    target = scratch / "new.keras"
    try:
        exported = folder / "model.keras" if (folder / "model.keras").is_file() else None  # an export has no config
        conversion = convert(folder / "saved", target, force=True, arch=exported)
    except ConversionError as error:
        return "refused", str(error).replace("\n", " ")[:160]
    except CheckpointError as error:
        return "error", str(error).replace("\n", " ")[:160]
    try:
        model = keras.models.load_model(target, safe_mode=not conversion.needs)
        with np.load(folder / "values.npz") as values:
            numbered = lambda letter: [values[f"{letter}{n}"] for n in range(20) if f"{letter}{n}" in values.files]
            x = numbered("x")
            y, z, t = numbered("y"), numbered("z"), numbered("t")
        if any(array.dtype.kind == "U" for array in x):
            import tensorflow as tf

            x = [tf.constant(array.astype(object) if array.dtype.kind == "U" else array) for array in x]
        feed = x if len(x) > 1 else x[0]
        got = [output.numpy() for output in keras.tree.flatten(model(feed, training=False))]
        worst = max(distance(a, b) for a, b in zip(got, y, strict=True))
        if not worst <= 1e-4:
            return "other", f"{worst:.2g}"
        if step and t and exported is None:  # an export has no state of an optimizer
            if not model.compiled:
                return "not compiled", str([loss.what for loss in conversion.losses])[:200]
            model.train_on_batch(feed, t if len(t) > 1 else t[0])
            after = keras.tree.flatten(model.predict(feed, verbose=0))
            moved = max(float(np.abs(a - b).max()) for a, b in zip(z, y))
            off = max(float(np.abs(a - b).max()) for a, b in zip(after, z))
            if off > 1e-5 + 1e-3 * moved:
                return "other step", f"{off:.2g} of {moved:.2g}; {[loss.what for loss in conversion.losses]}"
    except Exception as error:
        return "Keras fails", f"{type(error).__name__} {str(error)[:160]}"
    return "equal", ""


RANDOM = ("dropouts", "alpha_dropout", "augmented")


def main() -> None:
    """Print a line for each difference, and the sums of each folder."""
    scratch = Path(tempfile.mkdtemp())
    for root in map(Path, sys.argv[1:]):
        sums = Counter()
        for folder in sorted(root.iterdir()):
            if not (folder / "record.json").is_file():
                continue
            record = json.loads((folder / "record.json").read_text())
            sums["models"] += 1
            sums["artefacts"] += len(record["tensors"]) + (whole(folder) is not None)
            sums["tensors"] += sum(map(len, record["tensors"].values()))

            def attempt(act):
                try:
                    return act()
                except Exception as error:
                    return 0, [f"{type(error).__name__}: {str(error)[:200]}"]

            wrong = attempt(lambda: (0, tensors(folder, record)))[1]
            n, more = attempt(lambda: slots(folder, record))
            sums["slots"] += n
            m, moreover = attempt(lambda: state(folder, record, scratch))
            sums["state"] += m
            verdict, why = predicted(folder, record, scratch, folder.name not in RANDOM)
            sums[verdict] += 1
            for line in (*wrong[:3], *more[:3], *moreover[:3]):
                print(f"{root.name}/{folder.name} ({record['optimizer']}): {line}", flush=True)
            if verdict != "equal":
                print(f"{root.name}/{folder.name} ({record['optimizer']}): {verdict}: {why}", flush=True)
        print(root.name, dict(sums), flush=True)


if __name__ == "__main__":
    main()
