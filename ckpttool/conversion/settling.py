"""Arguments that Keras 3 reads otherwise than the generation that wrote them, said so that it computes the same."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ckpttool.architecture.args import Args
from ckpttool.architecture.defaults import arguments_of
from ckpttool.architecture.table import LAYERS
from ckpttool.conversion import activations
from ckpttool.conversion.journal import Edit, Journal

WRITE_BACKWARD = Edit(
    "write-backward-layer",
    "writes out the backward layer of a Bidirectional whose forward layer runs backwards",
    "always: Keras 2 made it run forwards, Keras 3 would make both run backwards",
)
EDITS = (WRITE_BACKWARD,)

# Arguments that had no part in what a layer computes, whatever their value; `causal` goes into the calls, and
# `trainable` is there where a layer of today does not take it, which then has no weights.
_WITHOUT_PART = frozenset({"causal", "implementation", "trainable"})


def settled(args: Args, where: str, journal: Journal) -> Mapping[str, Any]:
    """The arguments of a built-in layer, those that say the same in Keras 3 in other words in these."""
    config = {key: activations.named(value) if key in activations.KEYS else value for key, value in args.config.items()}
    known = arguments_of(args.class_name) if args.class_name in LAYERS else None
    if known is not None and args.class_name not in ("Functional", "Sequential"):
        config = {key: value for key, value in config.items() if key in known or not _says_nothing(key, value)}
    change = _SETTLED.get(args.class_name)
    return change(config, where, journal) if change else config


def _says_nothing(key: str, value: Any) -> bool:
    return value is None or key in _WITHOUT_PART


def _bidirectional(config: dict[str, Any], where: str, journal: Journal) -> dict[str, Any]:
    """Keras 2 made the backward layer run the other way than the forward one (keras/layers/rnn/bidirectional.py, 2.15);
    Keras 3 makes it run backwards (keras/src/layers/rnn/bidirectional.py, 3.15)."""
    forward = config.get("layer")
    own = forward.get("config") if isinstance(forward, Mapping) else None
    if not isinstance(own, Mapping) or own.get("go_backwards") is not True or config.get("backward_layer") is not None:
        return config
    journal.edit(WRITE_BACKWARD, where)
    name = str(own.get("name", "")).removeprefix("forward_")
    backward = {**forward, "config": {**own, "name": f"backward_{name}", "go_backwards": False}}  # type: ignore[dict-item]
    return {**config, "backward_layer": backward}


def _random_crop(config: dict[str, Any], where: str, journal: Journal) -> dict[str, Any]:
    """In inference Keras 2 resizes what it would crop in training (image_preprocessing.py, 2.15), Keras 3 does not."""
    journal.refuse(where, "RandomCrop, which gives other images in inference than it did")
    return config


_SETTLED = MappingProxyType({"Bidirectional": _bidirectional, "RandomCrop": _random_crop})
