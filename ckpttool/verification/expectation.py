"""The expectation that the weights of a checkpoint must meet: a spec, and which Keras builds its architecture."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ckpttool.alignment.architectures import read_text, spec_of_weights
from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import CheckpointError, UnsupportedError
from ckpttool.formats import open_checkpoint
from ckpttool.io.texts import is_text_file, names_function
from ckpttool.model import Architecture, architecture_of
from ckpttool.model.optimizers import OPTIMIZERS, OUTER_OPTIMIZERS
from ckpttool.model.spec import Opaque, Spec, from_json, is_spec, spec_of
from ckpttool.model.support import Support, support_of, support_of_config
from ckpttool.model.text_files import architecture_in, value_in
from ckpttool.verification import graph_state, legacy_state


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expected spec and its title; where it comes from a config, the architecture and which Keras builds it;
    `of_weights` where it comes from other weights, which state no architecture."""

    spec: Spec
    title: str
    support: Support | None = None
    architecture: Architecture | None = None
    of_weights: bool = False

    def with_own_model(self) -> "Expectation":
        """The same expectation, with the model itself among the objects whose weights only the user's code knows."""
        class_name = self.architecture.class_name if self.architecture else ""
        model = Opaque(self.spec.model, class_name, "")
        return replace(self, spec=replace(self.spec, opaque=(model, *self.spec.opaque)))


def expectation_of(
    architecture: Spec | Architecture | Checkpoint | str | os.PathLike[str], optimizer: bool
) -> Expectation:
    """The expectation of an architecture, of a file with one, or of the model that `package.module:function` returns,
    which is called in a process of its own. Raises CheckpointError where a file cannot be read.

    With `optimizer`, the optimizer of a whole legacy model, which is stored beside its config, is part of it.
    """
    if isinstance(architecture, Spec):
        return Expectation(architecture, architecture.model)
    if isinstance(architecture, Architecture):
        return Expectation(spec_of(architecture), architecture.name, support_of(architecture), architecture)
    if isinstance(architecture, Checkpoint):
        return _of_checkpoint(architecture, os.fspath(architecture.path), optimizer)
    path = os.fspath(architecture)
    if names_function(architecture):
        from ckpttool.model.live.user_function import architecture_of_function  # few texts name one

        return expectation_of(architecture_of_function(architecture), optimizer)
    try:
        if is_text_file(path) and not path.endswith(".weights.json"):
            return read_text(path, _of_text)
        with open_checkpoint(path) as checkpoint:
            return _of_checkpoint(checkpoint, path, optimizer)
    except CheckpointError as error:
        raise error.at(path=path) from error.__cause__


def _of_text(path: str | os.PathLike[str]) -> Expectation:
    value, path = value_in(path), os.fspath(path)
    if isinstance(value, Mapping) and is_spec(value):
        return Expectation(from_json(value), path)
    architecture = architecture_in(value)
    return Expectation(spec_of(architecture), path, support_of_config(value), architecture)


def _of_checkpoint(checkpoint: Checkpoint, path: str, optimizer: bool) -> Expectation:
    checkpoint.require_one_view()
    architecture = architecture_of(checkpoint)
    spec = spec_of(architecture) if architecture else spec_of_weights(checkpoint)
    if optimizer:
        of_graph = checkpoint.format.is_of_tensorflow
        spec = (graph_state if of_graph else legacy_state).compiled_spec(spec, checkpoint)
    return Expectation(spec, path, support_of(checkpoint), architecture, of_weights=architecture is None)


def with_state(spec: Spec, checkpoint: Checkpoint, loader: str) -> tuple[Spec, str, list[str]]:
    """The spec with the optimizer, how its state is loaded, and why it is not. Raises UnsupportedError."""
    note, refused = "", list[str]()
    if loader == "graph":
        spec, note = graph_state.compiled_spec(spec, checkpoint), f"; {graph_state.NOTE}"
    elif loader != "path":
        spec, note = legacy_state.compiled_spec(spec, checkpoint), f"; {legacy_state.NOTE}"
        refused = list(legacy_state.refused(checkpoint))
    if not spec.optimizer:
        raise UnsupportedError(
            "the architecture names no optimizer whose variables are known",
            expected=f"compiled with one of {', '.join((*OPTIMIZERS, *OUTER_OPTIMIZERS))}",
        )
    return spec, note, refused
