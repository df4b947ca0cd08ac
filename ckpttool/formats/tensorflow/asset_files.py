"""The assets of a graph: files that TensorFlow reads when it loads the model, from the folder `assets`.

TensorFlow 2 lists them in the graph, TensorFlow 1 in a collection (`get_asset_tensors`,
tensorflow/python/saved_model/loader_impl.py, 2.15; AssetFileDef, tensorflow/core/protobuf/meta_graph.proto).
"""

from collections.abc import Iterator
from typing import NamedTuple

from ckpttool.formats.tensorflow.wire import LEN, Message, map_entry, paid_text, payloads
from ckpttool.io.budget import Budget

COLLECTION, ASSET = 4, 6
"""The fields of a graph (MetaGraphDef) that may list assets."""

_KEY = "saved_model_assets"
_ANY_LIST = 5  # of a CollectionDef


class AssetFile(NamedTuple):
    """A file, and the constant in whose place TensorFlow puts its path."""

    constant: str
    name: str


def asset_files(number: int, raw: memoryview, budget: Budget) -> Iterator[AssetFile]:
    """The assets in a field of a graph, which is a collection or an asset itself."""
    if number == ASSET:
        yield _asset_file(raw, budget)
        return
    key, collection = map_entry(raw, budget)
    if key == _KEY:
        for listed in payloads(collection, _ANY_LIST, budget):
            for packed in payloads(listed, 1, budget):
                yield _asset_file(Message(packed, {2: LEN}, budget).payload(2), budget)


def _asset_file(raw: memoryview, budget: Budget) -> AssetFile:
    """An asset (AssetFileDef: tensor_info 1, filename 2; TensorInfo: name 1)."""
    message = Message(raw, {1: LEN, 2: LEN}, budget)
    tensor = Message(message.payload(1), {1: LEN}, budget)
    return AssetFile(tensor.text(1).partition(":")[0], paid_text(message.payload(2), budget))
