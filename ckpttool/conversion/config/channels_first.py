"""Convolutions of `channels_first`, which TensorFlow does not compute on every CPU.

Its operations on a CPU take `channels_last` alone, save where oneDNN stands in for them; that is on by itself on CPUs
with AVX-512, and off on others (tensorflow/core/util/port.cc, 2.16 to 2.21). Keras 3.15 transposes for pooling,
DepthwiseConv and SeparableConv, and compiles Conv3D and groups by XLA (`conv`, keras/src/backend/tensorflow/nn.py),
which all run everywhere. Measured with live Keras 3.15, layer by layer, with oneDNN and without.
"""

from collections.abc import Mapping
from typing import Any

from ckpttool.conversion.journal import Journal
from ckpttool.escape import first_of
from ckpttool.model.config import mappings_in

NEEDS_ONEDNN = frozenset(
    {
        *("Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        *("ConvLSTM1D", "ConvLSTM2D"),
    }
)
"""The layers that fail on a CPU without oneDNN."""
_BY_XLA_IN_GROUPS = frozenset({"Conv1D", "Conv2D"})
_SHOWN = 3


def note(config: Mapping[str, Any], journal: Journal) -> None:
    """Note the layers of a model in the form of Keras 3 that do not run on every CPU."""
    names = dict.fromkeys(str(entry["config"].get("name", "")) for entry in mappings_in(config) if needs_onednn(entry))
    if names:
        journal.guess(
            "layers",
            f"there is a GPU or oneDNN for channels_first ({first_of(list(names), _SHOWN)}): TensorFlow does not "
            "compute it on other CPUs; TF_ENABLE_ONEDNN_OPTS=1 puts oneDNN on where it is off, as without AVX-512",
        )


def needs_onednn(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a config is that of a layer that fails on a CPU without oneDNN."""
    class_name, config = entry.get("class_name"), entry.get("config")
    if not isinstance(class_name, str) or class_name not in NEEDS_ONEDNN or not isinstance(config, Mapping):
        return False
    in_groups = config.get("groups", 1) != 1 and class_name in _BY_XLA_IN_GROUPS
    return config.get("data_format") == "channels_first" and not in_groups
