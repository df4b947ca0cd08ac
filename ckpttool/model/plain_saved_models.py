"""SavedModels without a Keras model: objects of TensorFlow alone (`tf.Module`), graphs of TensorFlow 1, Estimators.

Nobody but TensorFlow runs them. Keras 3 makes a layer of a signature that takes one tensor (`TFSMLayer.call`,
keras/src/export/tfsm_layer.py, 3.15, which hands on one by its place).
"""

from ckpttool.checkpoint import Checkpoint
from ckpttool.errors import UnsupportedError
from ckpttool.escape import printable
from ckpttool.object_graph import EXPORTED
from ckpttool.saved_model import SavedModel, Signature

_DEFAULT = "serving_default"


def refusal(checkpoint: Checkpoint) -> UnsupportedError | None:
    """The error for a checkpoint of which an architecture is needed, and which has no Keras model that could have one;
    None for others."""
    saved = checkpoint.saved_model
    if saved is None or checkpoint.config is not None or not _is_plain(saved):
        return None
    if not checkpoint.weights and checkpoint.refusals:  # they are missing, and the graph has variables
        return None
    origin = "objects of TensorFlow alone" if saved.objects.nodes else "a graph of TensorFlow 1, or of an Estimator"
    problem = f"has no Keras model in it: {origin}"
    if not checkpoint.weights:
        problem = "is a graph without variables: no weights and no Keras model are in it"
    known = "; if you know the Keras model of these weights, name it with --arch" if checkpoint.weights else ""
    return UnsupportedError(problem, path=str(checkpoint.path), hint=f"use it as it is: {_use(saved)}{known}")


def _is_plain(saved: SavedModel) -> bool:
    """Whether no object in a SavedModel is one of Keras, nor an export of Keras 3."""
    is_export = bool(saved.objects.nodes) and saved.objects.nodes[0].child(EXPORTED) is not None
    return not saved.keras_objects and not is_export


def _use(saved: SavedModel) -> str:
    """The code that calls a SavedModel."""
    by_name = {signature.name: signature for signature in saved.signatures}
    signature = by_name.get(_DEFAULT) or next(iter(saved.signatures), None)
    if signature is None:
        return "tf.saved_model.load, and the functions of the object that it gives"
    if len(signature.inputs) == 1:
        return f'keras.layers.TFSMLayer(PATH, call_endpoint="{_name(signature)}") is a layer of Keras 3 that predicts'
    return f'tf.saved_model.load(PATH).signatures["{_name(signature)}"], whose inputs `ckpttool info` shows'


def _name(signature: Signature) -> str:
    return printable(signature.name, 50)
