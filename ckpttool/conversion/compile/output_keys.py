"""Outputs of a model in dicts or nested lists, by whose keys Keras 3 takes losses and logs them.

Keras 2 takes losses and metrics of a dict of outputs by its keys, and logs them by the names of the layers
(`compile_utils` of keras/src/engine, 2.15: the names are those of `Model.output_names`); Keras 3 logs them by the keys,
and by the path of an output in nested lists (`CompileLoss`, `CompileMetrics`, keras/src/trainers/compile_utils.py,
3.15).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ckpttool.conversion.compile.optimizers import WHERE
from ckpttool.conversion.journal import Journal


def layers_by_key(config: Mapping[str, Any]) -> dict[str, str]:
    """The names of the layers that give out the outputs of a model, by the keys of a dict of them, in the order in
    which lists of losses go; none for outputs in other forms."""
    ends = _ends(config)
    if not isinstance(ends, Mapping) or not all(_is_tensor(end) for end in ends.values()):
        return {}
    return {key: ends[key][0] for key in sorted(ends, key=str)}


def note_names(config: Mapping[str, Any], journal: Journal) -> None:
    """Note that the history of a training has other names for several outputs of a model."""
    ends, by_key = _ends(config), layers_by_key(config)
    renamed = [(key, name) for key, name in by_key.items() if key != name]
    if renamed and len(by_key) > 1:
        key, name = renamed[0]
        change = (
            f"Keras 3 logs losses and metrics of outputs by their keys, {key}_loss where older ones had {name}_loss"
        )
        journal.lose(WHERE, change)
    elif is_nested(ends):
        journal.lose(WHERE, "Keras 3 logs losses of nested outputs by their paths, and older ones by names of layers")


def fit_nested(config: Mapping[str, Any], compiled: dict[str, Any], journal: Journal) -> dict[str, Any]:
    """The compile settings without weights of losses and metrics of nested outputs, for which Keras 3 wants the same
    nesting."""
    if not is_nested(_ends(config)):
        return compiled
    for key in ("loss_weights", "metrics", "weighted_metrics"):
        if compiled.get(key):
            journal.lose(WHERE, f"{key} of nested outputs: Keras 3 wants them in the nesting of the outputs")
    return {**compiled, "loss_weights": None, "metrics": None, "weighted_metrics": None}


def note_outputs_without(losses: Any, names: Sequence[str], journal: Journal) -> None:
    """Note outputs without a loss, which training leaves out.

    Keras 2 takes targets of the other outputs alone, and logs the loss of each output, also of a single one
    (`LossesContainer`, keras/src/engine/compile_utils.py, 2.15); Keras 3 raises an error for a dict of such targets,
    and logs the loss of an output only where there are several (`CompileLoss`, keras/src/trainers/compile_utils.py,
    3.15).
    """
    if isinstance(losses, Mapping) and set(losses) == set(names):
        losses = [losses[name] for name in names]
    if not isinstance(losses, list) or len(losses) != len(names):
        return
    without = [name for name, loss in zip(names, losses, strict=True) if loss is None]
    if not without:
        return
    listed = ", ".join(without[:3]) + (", ..." if len(without) > 3 else "")
    subject = f"no loss for the outputs {listed}" if len(without) > 1 else f"no loss for the output {listed}"
    log = [f"; {name}_loss is logged as loss alone" for name in names if name not in without]
    logged = log[0] if len(log) == 1 else ""
    journal.lose(WHERE, f"{subject}: fit of Keras 3 wants targets of all outputs, where older ones did not{logged}")


def note_single(settings: Mapping[str, Any], names: Sequence[str], journal: Journal) -> None:
    """Note that Keras 3 takes no dict of targets for a single output, of a model whose settings name it.

    Keras 2 finds the target of an output by its name (`_match_loss_and_targets` of `LossesContainer.__call__` by
    `map_to_output_names`, keras/src/engine/compile_utils.py, 2.15); Keras 3 takes a dict for a tensor
    (`CompileLoss.build`, keras/src/trainers/compile_utils.py, 3.15), and raises an error.
    """
    named = [value for key in _BY_NAMES if isinstance(value := settings.get(key), Mapping) and len(value) == 1]
    if len(names) == 1 and any(names[0] in value for value in named):
        journal.lose(
            WHERE,
            f"targets and weights of samples in a dict: fit of Keras 3 wants those of the single output {names[0]} "
            "alone, not by its name",
        )


_BY_NAMES = ("loss", "metrics", "weighted_metrics", "loss_weights")


def is_nested(ends: Any) -> bool:
    """Whether outputs are in lists or dicts within others."""
    if _is_tensor(ends):
        return False
    inner = list(ends.values()) if isinstance(ends, Mapping) else ends if isinstance(ends, list) else []
    return not all(_is_tensor(end) for end in inner)


def _ends(config: Mapping[str, Any]) -> Any:
    inner = config.get("config")
    return inner.get("output_layers") if isinstance(inner, Mapping) else None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
