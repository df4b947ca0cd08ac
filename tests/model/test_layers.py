"""The table of layers against live layers of Keras: the same weights, under the same names, in the same places."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ckpttool.model.arguments import Args
from ckpttool.model.layers.table import ALIASES, LAYERS, WEIGHTLESS
from ckpttool.model.parts import part_of
from ckpttool.model.sizes import Shape
from ckpttool.model.slots import Part, Slot, in_path_layout, in_weights_order
from tests.model.layer_cases import Case, Spec, all_cases
from tests.model.legacy_order import in_legacy_order
from tests.recorded import recorded

CASES = all_cases(tuple(sorted(WEIGHTLESS)))

# Public names of keras.layers that have no row, with the reason.
WITHOUT_ROW = {
    "FlaxLayer": "its weights are those of a Flax module, which no config describes",
    "InputSpec": "no layer",
    "JaxLayer": "its weights are those of a JAX function, which no config describes",
    "TFSMLayer": "its weights are in a SavedModel beside it",
    "TorchModuleWrapper": "its weights are those of a PyTorch module, which its config holds pickled",
}

# Names in the table that keras.layers does not have: classes of models, and one class known by another public name.
NOT_IN_LAYERS = {"Functional", "GroupedQueryAttention", "Model", "Sequential"}


@dataclass(frozen=True)
class Seen:
    """The answer of Keras for one layer: its config, its weights, and its arrays in files; None where they cannot."""

    entry: dict[str, Any]
    weights: list[tuple[str, Shape, str, bool]]
    paths: dict[str, tuple[Shape, str]]
    legacy: list[tuple[str, Shape]] | None


@cache
def seen(case: str) -> Seen:
    """The answer of Keras for a case."""
    answer = recorded("layers").answers[case]
    return Seen(
        answer["entry"],
        [(path, tuple(shape), dtype, trainable) for path, shape, dtype, trainable in answer["weights"]],
        {path: (tuple(shape), dtype) for path, (shape, dtype) in answer["paths"].items()},
        answer["legacy"] and [(name, tuple(shape)) for name, shape in answer["legacy"]],
    )


def parts(case: Case) -> Part:
    """The part of a case by the table."""
    args = Args.of(seen(str(case)).entry)
    return part_of(args.class_name, args, case.shapes)


def own_weights(case: Case) -> bool:
    """Whether a case holds a class of the tests' own, whose weights the table cannot know."""
    return "Own" in str(case)


def holds_layers(case: Case) -> bool:
    """Whether a case is of a layer that holds others, or of one of the tests' own."""
    values = [entry for value in case.spec.kwargs.values() for entry in (value if isinstance(value, list) else [value])]
    return own_weights(case) or any(isinstance(value, Spec) for value in values)


def described(chain: tuple[str, ...], slot: Slot) -> tuple[str, Shape | None, str, bool]:
    """A slot as Keras describes a weight."""
    return "/".join((*chain, slot.name)), slot.shape, slot.dtype, slot.trainable


def fits(shape: Shape | None, live: Shape) -> bool:
    """Whether a shape, where it is known, is that of a live weight."""
    if shape is None:
        return True
    return len(shape) == len(live) and all(size in (None, true) for size, true in zip(shape, live, strict=True))


def known(live: list[Any], part: Part) -> list[Any]:
    """The weights of a live layer without those that belong to objects of unknown classes."""
    unknown = _unknown((part.name,), part)
    return [weight for weight in live if not any(weight[0].startswith(f"{chain}/") for chain in unknown)]


def _unknown(chain: tuple[str, ...], part: Part) -> list[str]:
    if not part.known:
        return ["/".join(chain)]
    return [inner for _, child in part.children for inner in _unknown((*chain, child.name), child)]


KNOWN = [case for case in CASES if not own_weights(case)]


def differing(cases: Iterable[Case], expected: Callable[[Case], Any], actual: Callable[[Case], Any]) -> list[str]:
    """The cases for which the table says otherwise than Keras, with both."""
    pairs = ((case, expected(case), actual(case)) for case in cases)
    return [f"{case}: Keras {live}, the table {ours}" for case, live, ours in pairs if live != ours]


def test_enough_cases() -> None:
    """There are at least 400 cases with weights, and one for every class in the table."""
    assert len(CASES) - len(WEIGHTLESS) >= 400
    missing = set(LAYERS) - set(ALIASES) - set(re.findall(r"\w+(?=\()", str(CASES)))
    assert missing == {"Functional", "GroupedQueryAttention", "Lambda"}


def test_every_public_class() -> None:
    """Every public class of keras.layers has a row or a reason."""
    public = set(recorded("layers").answers["public classes"])
    assert public - set(LAYERS) == set(WITHOUT_ROW)
    assert set(LAYERS) - public == NOT_IN_LAYERS


def test_aliases() -> None:
    """An alias is another public name of the class it stands for."""
    expected = {alias: name for alias, name in ALIASES.items() if alias != "Model"}
    assert recorded("layers").answers["aliases"] == expected


def test_weights() -> None:
    """The table knows the names, shapes, dtypes and trainable flags of `layer.weights`, and their order."""
    assert not differing(KNOWN, lambda case: seen(str(case)).weights, lambda case: in_order(parts(case)))


def in_order(part: Part) -> list[tuple[str, Shape | None, str, bool]]:
    """The weights of a part as Keras lists them."""
    return [described(chain, slot) for chain, slot in in_weights_order(part)]


def test_defaults() -> None:
    """Arguments that a config leaves out have the defaults of Keras."""

    def short(case: Case) -> Part:
        config = {"name": seen(str(case)).entry["config"]["name"], **case.spec.kwargs}
        return part_of(case.spec.class_name, Args(case.spec.class_name, config), case.shapes)

    plain = [case for case in CASES if not holds_layers(case)]
    assert not differing(plain, lambda case: seen(str(case)).weights, lambda case: in_order(short(case)))


def test_path_layout() -> None:
    """The table knows the paths, shapes and dtypes in a `.weights.h5`."""

    def ours(case: Case) -> Any:
        return {path: (slot.shape, slot.written_dtype) for path, _, slot in in_path_layout(parts(case))}

    assert not differing(KNOWN, lambda case: seen(str(case)).paths, ours)


def test_legacy_order() -> None:
    """The table knows the names, shapes and order in a legacy `.h5`, which has no bfloat16."""

    def ours(case: Case) -> Any:
        return [("/".join((*chain, slot.name)), slot.shape) for chain, slot in in_legacy_order(parts(case))]

    stored = [case for case in KNOWN if seen(str(case)).legacy is not None]
    assert not differing(stored, lambda case: seen(str(case)).legacy, ours)
    assert all("bfloat16" in str(seen(str(case)).weights) for case in KNOWN if case not in stored)


def test_unknown_input() -> None:
    """Without input shapes all but the shapes is known, and no shape is wrong."""
    for case in CASES:
        entry = _without_build(seen(str(case)).entry)
        part = part_of(entry["class_name"], Args.of(entry), (None,))
        ours, live = in_order(part), known(seen(str(case)).weights, part)
        assert [(name, *rest) for name, _, *rest in ours] == [(name, *rest) for name, _, *rest in live], case
        assert all(fits(weight[1], true[1]) for weight, true in zip(ours, live, strict=True)), case


def _without_build(value: Any) -> Any:
    """A config without the input shapes that Keras 3 states in it."""
    if isinstance(value, dict):
        return {key: _without_build(inner) for key, inner in value.items() if key != "build_config"}
    return [_without_build(inner) for inner in value] if isinstance(value, list) else value


def test_unknown_class() -> None:
    """A class of the user's own is unknown, and what is around it is known all the same."""
    own = [case for case in CASES if own_weights(case)]
    assert own
    for case in own:
        part = parts(case)
        assert _unknown((part.name,), part), case
        live = known(seen(str(case)).weights, part)
        assert all(fits(weight[1], true[1]) for weight, true in zip(in_order(part), live, strict=True)), case
        assert {path for path, *_ in in_path_layout(part)} <= seen(str(case)).paths.keys(), case


def test_unknown_rank() -> None:
    """Without input shapes even the number of axes is known, but for a few weights that follow the input's."""
    rankless = set()
    for case in CASES:
        part = part_of(case.spec.class_name, Args.of(_without_build(seen(str(case)).entry)))
        rankless |= {(case.spec.class_name, slot.name) for _, slot in in_weights_order(part) if slot.shape is None}
    assert rankless == {
        ("EinsumDense", "bias"),
        ("GroupQueryAttention", "kernel_scale"),
        ("MultiHeadAttention", "kernel_scale"),
        ("PReLU", "alpha"),
        ("TimeDistributed", "alpha"),
    }
