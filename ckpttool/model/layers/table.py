"""The table of layers: for each built-in class of Keras 3.15 the row that tells its weights.

A row takes a layer's arguments and the shapes of its inputs and gives its `Part`. Nothing here knows Keras itself; that
the rows are true is for the tests to show, against live layers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.layers import (
    attention,
    convolutional,
    dense,
    discretization,
    einsum,
    lookups,
    normalization,
    recurrent,
    removed,
    weightless,
    wrappers,
)
from ckpttool.model.layers.beyond import beyond
from ckpttool.model.layers.recurrent import Build
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part

Row = Callable[[Args, Inputs], Part]


def part_of(class_name: str, args: Args, inputs: Inputs = ()) -> Part:
    """The weights of a layer of a class, for inputs of these shapes; shapes may be None or missing.

    A class without a row, or one that its config places outside Keras, gives a part that is not known. An alias gives
    the part of the class it stands for, whose name is what paths are made of. Raises ConfigError.
    """
    if args.operation:
        return replace(args.part(), listed=False)
    class_name = ALIASES.get(class_name, class_name)
    args = args.as_class(class_name)
    other = beyond(args)
    row = None if args.foreign else LAYERS.get(class_name) or OLD_LAYERS.get(class_name) or (other and other.row)
    return row(args, inputs) if row else args.part(known=False)


def _build(args: Args, inputs: Inputs) -> Part:
    return part_of(args.class_name, args, inputs)


def _holding(row: Callable[[Args, Inputs, Build], Part]) -> Row:
    """The row of a layer that holds others, which may be of any class in the table."""
    return lambda args, inputs: row(args, inputs, _build)


_WITH_WEIGHTS: dict[str, Row] = {
    "AdditiveAttention": attention.additive_attention,
    "Attention": attention.attention,
    "BatchNormalization": normalization.batch_normalization,
    "Bidirectional": _holding(recurrent.bidirectional),
    "Conv1D": convolutional.conv(1),
    "Conv1DTranspose": convolutional.conv_transpose(1),
    "Conv2D": convolutional.conv(2),
    "Conv2DTranspose": convolutional.conv_transpose(2),
    "Conv3D": convolutional.conv(3),
    "Conv3DTranspose": convolutional.conv_transpose(3),
    "ConvLSTM1D": recurrent.conv_lstm(1),
    "ConvLSTM2D": recurrent.conv_lstm(2),
    "ConvLSTM3D": recurrent.conv_lstm(3),
    "Dense": dense.dense,
    "DepthwiseConv1D": convolutional.depthwise_conv(1),
    "DepthwiseConv2D": convolutional.depthwise_conv(2),
    "Discretization": discretization.discretization,
    "EinsumDense": einsum.einsum_dense,
    "Embedding": dense.embedding,
    "Functional": _holding(wrappers.model),
    "GRU": recurrent.layer_of(recurrent.gru_cell, "GRUCell", "gru_cell"),
    "GRUCell": recurrent.gru_cell,
    "GroupNormalization": normalization.group_normalization,
    "GroupedQueryAttention": attention.grouped_query_attention,
    "IntegerLookup": lookups.index_lookup,
    "LSTM": recurrent.layer_of(recurrent.lstm_cell, "LSTMCell", "lstm_cell"),
    "LSTMCell": recurrent.lstm_cell,
    "LayerNormalization": normalization.layer_normalization,
    "MultiHeadAttention": attention.multi_head_attention,
    "Normalization": normalization.normalization,
    "PReLU": normalization.prelu,
    "Pipeline": _holding(wrappers.pipeline),
    "RMSNormalization": normalization.rms_normalization,
    "RNN": _holding(recurrent.rnn),
    "ReversibleEmbedding": dense.reversible_embedding,
    "STFTSpectrogram": normalization.stft_spectrogram,
    "SeparableConv1D": convolutional.separable_conv(1),
    "SeparableConv2D": convolutional.separable_conv(2),
    "Sequential": _holding(wrappers.model),
    "SimpleRNN": recurrent.layer_of(recurrent.simple_rnn_cell, "SimpleRNNCell", "simple_rnn_cell"),
    "SimpleRNNCell": recurrent.simple_rnn_cell,
    "SpectralNormalization": _holding(wrappers.spectral_normalization),
    "StackedRNNCells": _holding(recurrent.stacked_rnn_cells),
    "StringLookup": lookups.index_lookup,
    "TextVectorization": lookups.text_vectorization,
    "TimeDistributed": _holding(wrappers.time_distributed),
    "Wrapper": _holding(wrappers.wrapper),
}

_CLASSES: dict[str, Row] = {**_WITH_WEIGHTS, **dict.fromkeys(weightless.NAMES, weightless.weightless)}

LAYERS: Mapping[str, Row] = MappingProxyType(
    {**_CLASSES, **{alias: _CLASSES[class_name] for alias, class_name in ALIASES.items()}}
)
"""Every built-in class that has a row, aliases included."""

OLD_LAYERS: Mapping[str, Row] = removed.OLD
"""The classes of older Keras that Keras 3 does not have."""
