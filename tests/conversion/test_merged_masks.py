"""Layers that merge masked tensors: what Keras 3 gives otherwise is refused, guessed or said.

Of 70 generated models, live Keras 3.15 predicts and measures what genuine 2.15 did, where nothing is said.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ckpttool.conversion import plan
from ckpttool.conversion.config.rewriter import Generation, rewrite
from ckpttool.conversion.journal import Journal
from ckpttool.conversion.options import PLAIN
from tests.conversion.of_generation import of_generation
from tests.speeds import one_of_each

SGD = {"class_name": "SGD", "config": {"name": "SGD", "learning_rate": 0.1}}
ENDS = {
    "output": ("Activation", {"activation": "tanh"}),
    "flat": ("Flatten", {}),
    "groups": ("GroupNormalization", {"groups": 2, "scale": False, "center": False}),
    "largest": ("GlobalMaxPooling1D", {}),
    "mean": ("GlobalAveragePooling1D", {}),
    "own": ("Lambda", {"function": "own_function", "function_type": "function"}),
    "steps": ("LSTM", {"units": 1}),
}
USING_MASKS, USING_NUMBERS, MASKED = ("mean", "steps"), ("flat", "groups", "largest"), ("groups", "output")


def written(path: Path, merge: str, partner: str, end: str) -> Path:
    """A legacy file of 2.15: a masked Embedding, merged with another tensor, and a layer behind."""
    tables, starts = ["first", "second"], ["x", "y"]
    layers = [("Embedding", "first", {"input_dim": 9, "output_dim": 4, "mask_zero": True}, ["x"])]
    if partner == "same mask":
        tables, starts = ["first"], ["x"]
        layers.append(("Activation", "second", {"activation": "tanh"}, ["first"]))
    elif partner == "same input":
        starts = ["x"]
        layers.append(("Embedding", "second", {"input_dim": 9, "output_dim": 4, "mask_zero": True}, ["x"]))
    elif partner == "same layer":
        tables = ["first"]
    else:
        table = {"input_dim": 9, "output_dim": 4, "mask_zero": partner == "other mask"}
        layers.append(("Embedding", "second", table, ["y"]))
    class_name, config = ENDS[end]
    merged = [["first", 0, 0, {}], ["first", 1, 0, {}] if partner == "same layer" else ["second", 0, 0, {}]]
    layers += [(merge, "merge", {}, []), (class_name, "end", config, ["merge"])]
    entries: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "name": name, "config": {"batch_input_shape": [None, 5], "name": name}}
        | {"inbound_nodes": []}
        for name in starts
    ]
    entries += [
        {"class_name": kind, "name": name, "config": {"name": name, **own}}
        | {"inbound_nodes": [[[each, 0, 0, {}] for each in inputs]]}
        for kind, name, own, inputs in layers
    ]
    entries[-2]["inbound_nodes"] = [merged]
    if partner == "same layer":
        entries[2]["inbound_nodes"].append([["y", 0, 0, {}]])
    ends = {"input_layers": [[name, 0, 0] for name in starts], "output_layers": [["end", 0, 0]]}
    model = {"class_name": "Functional", "config": {"name": "m", "layers": entries, **ends}}
    weights = {name: {"embeddings:0": (9, 4)} for name in tables}
    if end == "steps":
        weights["end"] = {"kernel:0": (4, 4), "recurrent_kernel:0": (1, 4), "bias:0": (4,)}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(model)
        file.attrs["training_config"] = json.dumps({"optimizer_config": SGD, "loss": "mse"})
        groups = file.create_group("model_weights")
        groups.attrs["layer_names"] = [entry["name"] for entry in entries]
        for entry in entries:
            arrays = {f"{entry['name']}/{name}": shape for name, shape in weights.get(entry["name"], {}).items()}
            group = groups.create_group(entry["name"])
            group.attrs["weight_names"] = list(arrays) or np.zeros(0)
            for name, shape in arrays.items():
                group[name] = np.ones(shape, "f")
    return path


PARTNERS = ("same mask", "same input", "same layer", "other mask", "no mask")
MERGES = ("Add", "Multiply", "Average", "Maximum", "Concatenate", "Minimum")
LEAVE_OUT = ("Multiply", "Maximum", "Minimum")


def cases() -> list[tuple[str, str, str]]:
    """Merges, partners and ends, each two of them together, and each way to merge with both others."""
    turned = [
        (MERGES[(at + 2 * number) % 6], partner, end)
        for number, (partner, end) in enumerate(itertools.product(PARTNERS, ENDS))
        for at in range(6)
    ]
    return one_of_each(turned, lambda case: [case[:2], case[::2], (case[0] in LEAVE_OUT, *case[1:])])


@pytest.mark.parametrize(("merge", "partner", "end"), cases())
def test_what_is_said_of_merged_masks(merge: str, partner: str, end: str, tmp_path: Path) -> None:
    """Other masks are refused where a layer uses them, and said where a loss does. Embeddings of the same input have
    the same mask, one of two inputs has two.

    Multiply, Maximum and Minimum leave out inputs that are masked. It is refused where another input is not, and where
    a layer uses what they give at masked steps; it is a guess that nothing else does.
    """
    leaves_out, same = merge in LEAVE_OUT, partner in ("same mask", "same input")
    source = written(tmp_path / "old.h5", merge, partner, end)
    result = plan(source, tmp_path / "new.keras")
    refusals = " ".join(refusal.what for refusal in result.refusals)
    assert ("not all have the same mask" in refusals) == (not same and (leaves_out or end in USING_MASKS))
    assert ("uses what it gives there" in refusals) == (leaves_out and end in USING_NUMBERS)
    guesses = " ".join(remark.what for remark in result.guesses)
    assert ("Keras 3 leaves inputs out" in guesses) == (leaves_out and end in (*MASKED, "own"))
    if not refusals:
        assert any("behind merged masks" in remark.what for remark in result.losses) == (not same and end in MASKED)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_masks_beside_states(sequences: bool, masked: bool) -> None:
    """Keras 3.15 computes masked steps of an LSTM that begins with states, where genuine 2.10 repeats an output."""
    names = ["x", "h", "c"]
    entries: list[dict[str, Any]] = [
        {"class_name": "InputLayer", "name": name, "config": {"batch_input_shape": [None, *shape], "name": name}}
        | {"inbound_nodes": []}
        for name, shape in (("x", [5, 4]), ("h", [1]), ("c", [1]))
    ]
    source = "x"
    if masked:
        source = "masking"
        entries.append({"class_name": "Masking", "name": source, "config": {"name": source, "mask_value": 0.0}})
        entries[-1]["inbound_nodes"] = [[["x", 0, 0, {}]]]
    config = {"name": "lstm", "units": 1, "return_sequences": sequences}
    entries.append({"class_name": "LSTM", "name": "lstm", "config": config})
    entries[-1]["inbound_nodes"] = [[[source, 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]]
    ends = {"input_layers": [[name, 0, 0] for name in names], "output_layers": [["lstm", 0, 0]]}
    model = {"class_name": "Functional", "config": {"name": "m", "layers": entries, **ends}}
    journal = Journal()
    rewrite(of_generation({**model, "keras_version": "2.10.0"}, Generation.KERAS_2), journal, PLAIN)
    assert any("no mask of its input" in refusal.what for refusal in journal.refusals) == (masked and not sequences)
    assert any("no mask of its input" in guess.what for guess in journal.guesses) == (masked and sequences)
