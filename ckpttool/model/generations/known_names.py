"""The versions in which Keras had a name: a name that the Keras of a config's writer lacked is the author's own.

Sources: keras/activations.py, layers/, losses.py, metrics.py, regularizers.py and constraints.py of Keras 0.3.3 and
1.0.0 to 2.3.1 (all releases), tf.keras of TensorFlow 1.4, 1.15, 2.1 to 2.4 and Keras 2.6 to 2.15, Keras 3.0 to 3.15.
"""

import json
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ckpttool.io import scalars
from ckpttool.model.class_names import ALIASES
from ckpttool.model.defaults import defaults_of
from ckpttool.model.generations.generation import Generation

_NEVER = (99,)
_Version = tuple[int, ...]


class Had(Enum):
    """Whether the Keras that wrote a config had a name; PERHAPS where its version does not tell."""

    NO = 0
    PERHAPS = 1
    YES = 2


class KerasVersion(NamedTuple):
    """The version of the Keras that wrote a config, the oldest of its generation where the file has none, and whether
    it was tf.keras. `text` is the version as the file has it."""

    version: _Version
    is_tf: bool = False
    text: str = ""

    @classmethod
    def of(cls, generation: Generation, version: str | None) -> "KerasVersion":
        """The version of a config of this generation; `version` is the one in the file ("2.2.4-tf")."""
        numbers = scalars.version_numbers(version, 3)
        if not numbers:
            numbers = (3, 99) if generation is Generation.KERAS_3 else (generation.value,)
        return cls(numbers, "-tf" in (version or "") or numbers >= (2, 4), version or "")

    def __str__(self) -> str:
        return f"Keras {self.text or self.version[0]}"

    def had(self, kind: str, name: str) -> Had:
        """Whether this Keras had a name of a kind: activations, layers, losses, metrics, optimizers, schedules,
        regularizers, constraints or initializers. A name that no version lacked counts as one that it had."""
        if self.version >= (3,):
            return Had.YES
        since = (_SINCE[kind].get(name) or _unlisted(kind, name)).split()[self.is_tf]
        first, _, surely = since.partition("?")
        if self.version < _parsed(first):
            return Had.NO
        return Had.PERHAPS if surely and self.version < _parsed(surely) else Had.YES


_ABSTRACT = frozenset("Functional InputLayer Layer RNN Sequential Wrapper".split())
"""The layers of Keras 2 whose keys `config_keys.json` does not have."""


def _unlisted(kind: str, name: str) -> str:
    """The first versions with a name that `_SINCE` does not list: a layer of Keras 3 whose keys in a config no Keras 2
    stated came with Keras 3, all others were always there."""
    class_name = ALIASES.get(name, name)
    is_new = class_name not in _ABSTRACT and class_name not in config_keys()["layers"]
    return "- -" if kind == "layers" and is_new and defaults_of(kind, class_name) is not None else "0 0"


@cache
def config_keys() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """The keys that `get_config` states, by kind and class, without those of all layers (releases of Keras 2.0.0 to
    2.3.1, TensorFlow 1.15 to 2.15; `tests/model/old_config_keys.py` asked them)."""
    table: Mapping[str, Any] = json.loads(Path(__file__).with_name("config_keys.json").read_text("utf-8"))
    return table


def _parsed(version: str) -> _Version:
    return _NEVER if version == "-" else scalars.version_numbers(version, 3)


def _never(*names: str) -> dict[str, str]:
    """Names that came with Keras 3."""
    return dict.fromkeys(names, "- -")


# The first versions with a name: of Keras by itself, and of tf.keras as files have its version; "-" means not before
# Keras 3. TensorFlow 2.1 and 2.2 both write 2.3.0, and 2.3 and 2.4 both 2.4.0: "2.4?2.5" is in the second of such only.
_SINCE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "activations": {
            "elu": "1.1.1 0",
            "exponential": "2.2.3 2.2.4",
            "gelu": "- 2.4?2.5",
            "mish": "- 2.13",
            "selu": "2.0.6 0",
            "softsign": "1.0.3 0",
            "swish": "- 2.3?2.4",
            **_never("celu", "glu", "hard_shrink", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid"),
            **_never("log_softmax", "relu6", "silu", "soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax"),
            **_never("squareplus", "tanh_shrink", "threshold"),
        },
        "layers": {
            **dict.fromkeys(("Add", "Average", "Concatenate", "Dot", "Maximum", "Multiply"), "2 0"),
            **dict.fromkeys(("AdditiveAttention", "Attention", "LayerNormalization", "Normalization"), "- 2.2.4"),
            **dict.fromkeys(("CenterCrop", "RandomCrop", "Resizing", "TextVectorization"), "- 2.2.4"),
            **dict.fromkeys(("Discretization", "Hashing", "RandomContrast", "RandomFlip", "RandomRotation"), "- 2.3"),
            **dict.fromkeys(("RandomTranslation", "RandomZoom", "Rescaling"), "- 2.3"),
            **dict.fromkeys(("CategoryEncoding", "Conv1DTranspose", "EinsumDense", "IntegerLookup"), "- 2.4"),
            **dict.fromkeys(("MultiHeadAttention", "StringLookup"), "- 2.4"),
            **dict.fromkeys(("ConvLSTM1D", "ConvLSTM3D"), "- 2.6"),
            **dict.fromkeys(("GRUCell", "LSTMCell", "RNN", "SimpleRNNCell", "StackedRNNCells"), "2.0.9 2.1"),
            **dict.fromkeys(("Cropping1D", "Cropping2D", "Cropping3D"), "1.0.8 0"),
            **dict.fromkeys(("Highway", "MaxoutDense", "Merge"), "0 -"),  # keras/legacy/layers.py of 2.0 to 2.3
            "AlphaDropout": "2.0.6 0",
            "DepthwiseConv1D": "- 2.7",
            "DepthwiseConv2D": "2.0.6 0",  # up to 2.1.4 in keras/applications/mobilenet.py
            "GroupNormalization": "- 2.11",
            "HashedCrossing": "- 2.8",
            "Identity": "- 2.12",
            "Minimum": "2.0.9 2.1",
            "RandomBrightness": "- 2.9",
            "ReLU": "2.2 2.1",
            "SeparableConv1D": "2.1.3 2.1",
            "Softmax": "2.1.3 2.1",
            "SpectralNormalization": "- 2.13",
            "Subtract": "2.0.7 0",
            "UnitNormalization": "- 2.9",
        },
        "losses": {
            **dict.fromkeys(("binary_focal_crossentropy", "BinaryFocalCrossentropy"), "- 2.8"),
            **dict.fromkeys(("categorical_focal_crossentropy", "CategoricalFocalCrossentropy"), "- 2.13"),
            **dict.fromkeys(("huber", "kl_divergence", "log_cosh"), "- 2.4"),
            "categorical_hinge": "2.0.5 0",
            "cosine_similarity": "2.3 2.2.4",
            "huber_loss": "2.3 2.0",
            "logcosh": "2.0.5 0",
            **_never("CTC", "CategoricalGeneralizedCrossEntropy", "Circle", "Dice", "Tversky", "ctc", "circle", "dice"),
            **_never("categorical_generalized_cross_entropy", "tversky"),
        },
        "metrics": {
            **_never("auc", "binary_io_u", "concordance_correlation", "f1_score", "f_beta_score", "false_negatives"),
            **_never("false_positives", "io_u", "log_cosh_error", "mean", "mean_io_u", "one_hot_io_u"),
            **_never("one_hot_mean_io_u", "pearson_correlation", "precision", "precision_at_recall", "r2_score"),
            **_never("recall", "recall_at_precision", "root_mean_squared_error", "sensitivity_at_specificity"),
            **_never("specificity_at_sensitivity", "sum", "true_negatives", "true_positives"),
            **_never("ConcordanceCorrelation", "PearsonCorrelation"),
        },
        "regularizers": {
            **dict.fromkeys(("L1", "L2"), "- 2.4"),
            **dict.fromkeys(("OrthogonalRegularizer", "orthogonal_regularizer"), "- 2.9"),
        },
        "constraints": {},
        "optimizers": {
            "Adafactor": "- 2.11",
            "AdamW": "- 2.9",  # in optimizers.experimental up to 2.10
            "Ftrl": "- 0",
            "Lion": "- 2.13",
            **_never("Lamb", "Muon", "ScheduleFreeAdamW"),
        },
        "schedules": {},
        "initializers": _never("STFT", "STFTInitializer", "stft"),
    }
)
