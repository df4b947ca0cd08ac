"""The check that Keras 3 will load a converted model: it builds the config, compiles it, and finds every weight."""

import contextlib
from collections.abc import Iterable
from typing import Any

from ckpttool.checkpoint import Checkpoint
from ckpttool.conversion.journal import Journal
from ckpttool.errors import ConfigError, CorruptFileError
from ckpttool.model import Architecture
from ckpttool.model.buildability import Obstacle, OwnObject, buildability_of_keras
from ckpttool.model.spec import spec_of
from ckpttool.verification.loadability import reasons_against_loading

_NO_COMPILE = "; --no-compile leaves the settings of compile out"
_SHOWN = 3


def refuse_unbuildable(config: Any, journal: Journal) -> None:
    """Refuse a config that Keras 3 does not build or compile. Note the needs of the model: its own classes and
    functions, and files that it reads, which are no reason to refuse it."""
    buildability = buildability_of_keras(config)
    for obstacle in buildability.obstacles:
        if not obstacle.outside:
            journal.refuse(obstacle.where, _reason(obstacle))
    for obstacle in buildability.compile_obstacles:
        journal.refuse(obstacle.where, f"{_reason(obstacle)}{_NO_COMPILE}")
    _need_own(buildability.unknown, journal)


def _need_own(unknown: Iterable[OwnObject], journal: Journal) -> None:
    needed = {need.where.rpartition(">")[2] for need in journal.needs}
    for own in unknown:
        short = own.name.rpartition(">")[2]
        if short not in needed and not own.where.startswith("compile"):  # compile settings note their own needs
            journal.need(own.name, f"{short} of your own: import the module that registers it, or custom_objects")


_UNBUILT = (
    "a Sequential model whose file has no shape of its input, without which Keras 3 makes no weights to load; "
    "--arch with the config of a model that begins with an InputLayer, or a target of weights alone"
)


def refuse_unbuilt(architecture: Architecture, journal: Journal) -> None:
    """Refuse a model with weights that Keras 3 does not build by its config; an own class is the user's to build."""
    with contextlib.suppress(ConfigError):
        if not spec_of(architecture).built:
            journal.refuse(architecture.name, _UNBUILT)


def _reason(obstacle: Obstacle) -> str:
    return f"Keras 3 would not load the converted file: {obstacle.reason}"


def check_loads(written: Checkpoint, live: Architecture | None) -> None:
    """Raise CorruptFileError where Keras 3 would not load a file that was written. `live` is the user's own model,
    where the file is for that."""
    why = reasons_against_loading(written, live)
    if why:
        raise CorruptFileError("Keras 3 would not load the converted file", found="; ".join(why[:_SHOWN]))
