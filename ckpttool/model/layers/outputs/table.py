"""The table of output shapes: for each built-in layer of Keras 3.15 the rule that tells what comes out of a call.

That the rules are true is for the tests to show, against live layers. Models are walked, not looked up.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.model.arguments import Args
from ckpttool.model.class_names import ALIASES
from ckpttool.model.graph import Call
from ckpttool.model.layers.beyond import beyond
from ckpttool.model.layers.outputs import (
    attention,
    categories,
    convolutional,
    core,
    einsum,
    elementwise,
    images,
    merge,
    old,
    pools,
    recurrent,
    reshape,
    wrappers,
)
from ckpttool.model.layers.outputs.call_inputs import misfit, unknown
from ckpttool.model.layers.outputs.rule import Infer, Outputs, Rule
from ckpttool.model.operations.table import OPERATIONS
from ckpttool.model.sizes import MAX_RANK, MAX_SIZE, Shape

_SAME = (
    "Activation",
    "ActivityRegularization",
    "AlphaDropout",
    "AugMix",
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Dropout",
    "ELU",
    "Equalization",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "LeakyReLU",
    "Masking",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Softmax",
    "Solarization",
)

_CLASSES: dict[str, Rule] = {
    **dict.fromkeys(_SAME, elementwise.same),
    "AdaptiveAveragePooling1D": pools.adaptive_pool(1),
    "AdaptiveAveragePooling2D": pools.adaptive_pool(2),
    "AdaptiveAveragePooling3D": pools.adaptive_pool(3),
    "AdaptiveMaxPooling1D": pools.adaptive_pool(1),
    "AdaptiveMaxPooling2D": pools.adaptive_pool(2),
    "AdaptiveMaxPooling3D": pools.adaptive_pool(3),
    "Add": merge.elementwise(),
    "AdditiveAttention": attention.attention,
    "Attention": attention.attention,
    "Average": merge.elementwise(),
    "AveragePooling1D": pools.pool(1),
    "AveragePooling2D": pools.pool(2),
    "AveragePooling3D": pools.pool(3),
    "BatchNormalization": elementwise.along(-1),
    "Bidirectional": recurrent.bidirectional,
    "CategoryEncoding": categories.category_encoding,
    "CenterCrop": images.sized,
    "Concatenate": merge.concatenate,
    "Conv1D": convolutional.conv(1),
    "Conv1DTranspose": convolutional.conv_transpose(1),
    "Conv2D": convolutional.conv(2),
    "Conv2DTranspose": convolutional.conv_transpose(2),
    "Conv3D": convolutional.conv(3),
    "Conv3DTranspose": convolutional.conv_transpose(3),
    "ConvLSTM1D": recurrent.conv_lstm(1),
    "ConvLSTM2D": recurrent.conv_lstm(2),
    "ConvLSTM3D": recurrent.conv_lstm(3),
    "Cropping1D": reshape.cropping(1, 1),
    "Cropping2D": reshape.cropping(2, 0),
    "Cropping3D": reshape.cropping(3, 1),
    "Dense": core.dense,
    "DepthwiseConv1D": convolutional.depthwise_conv(1),
    "DepthwiseConv2D": convolutional.depthwise_conv(2),
    "Discretization": categories.discretization,
    "Dot": merge.dot,
    "EinsumDense": einsum.einsum_dense,
    "Embedding": core.embedding,
    "Flatten": reshape.flatten,
    "GRU": recurrent.layer_of(1),
    "GRUCell": recurrent.cell,
    "GlobalAveragePooling1D": pools.global_pool(1),
    "GlobalAveragePooling2D": pools.global_pool(2),
    "GlobalAveragePooling3D": pools.global_pool(3),
    "GlobalMaxPooling1D": pools.global_pool(1),
    "GlobalMaxPooling2D": pools.global_pool(2),
    "GlobalMaxPooling3D": pools.global_pool(3),
    "GroupNormalization": elementwise.group_normalization,
    "GroupedQueryAttention": attention.grouped_query_attention,
    "HashedCrossing": categories.hashed_crossing,
    "Hashing": categories.hashing,
    "InputLayer": core.input_layer,
    "IntegerLookup": categories.lookup,
    "LSTM": recurrent.layer_of(2),
    "LSTMCell": recurrent.cell,
    "Lambda": core.declared_lambda,
    "Layer": unknown,
    "LayerNormalization": elementwise.along(-1),
    "MaxNumBoundingBoxes": images.max_boxes,
    "MaxPooling1D": pools.pool(1, 2),
    "MaxPooling2D": pools.pool(2, 2),
    "MaxPooling3D": pools.pool(3, 2),
    "Maximum": merge.elementwise(),
    "MelSpectrogram": categories.mel_spectrogram,
    "Minimum": merge.elementwise(),
    "MultiHeadAttention": attention.multi_head_attention,
    "Multiply": merge.elementwise(),
    "Normalization": elementwise.along(-1),
    "PReLU": elementwise.prelu,
    "Permute": reshape.permute,
    "Pipeline": wrappers.pipeline,
    "RMSNormalization": elementwise.along(-1),
    "RNN": recurrent.rnn,
    "RandomColorDegeneration": elementwise.colored,
    "RandomCrop": images.sized,
    "RepeatVector": reshape.repeat_vector,
    "Reshape": reshape.reshape,
    "Resizing": images.sized,
    "ReversibleEmbedding": core.reversible_embedding,
    "STFTSpectrogram": categories.stft_spectrogram,
    "SeparableConv1D": convolutional.separable_conv(1),
    "SeparableConv2D": convolutional.separable_conv(2),
    "SimpleRNN": recurrent.layer_of(1),
    "SimpleRNNCell": recurrent.cell,
    "SpatialDropout1D": elementwise.same_of_rank(3),
    "SpatialDropout2D": elementwise.same_of_rank(4),
    "SpatialDropout3D": elementwise.same_of_rank(5),
    "SpectralNormalization": wrappers.spectral_normalization,
    "StackedRNNCells": recurrent.stacked_cells,
    "StringLookup": categories.lookup,
    "Subtract": merge.elementwise(2),
    "TextVectorization": categories.text_vectorization,
    "TimeDistributed": wrappers.time_distributed,
    "UnitNormalization": elementwise.along(-1),
    "UpSampling1D": reshape.up_sampling(1),
    "UpSampling2D": reshape.up_sampling(2),
    "UpSampling3D": reshape.up_sampling(3),
    "Wrapper": unknown,
    "ZeroPadding1D": reshape.zero_padding(1),
    "ZeroPadding2D": reshape.zero_padding(2),
    "ZeroPadding3D": reshape.zero_padding(3),
}

_OLD: dict[str, Rule] = {
    **dict.fromkeys(("Highway", "ParametricSoftplus", "SReLU", "ThresholdedReLU"), elementwise.same),
    "CuDNNGRU": recurrent.layer_of(1),
    "CuDNNLSTM": recurrent.layer_of(2),
    "LocallyConnected1D": old.locally_connected(1),
    "LocallyConnected2D": old.locally_connected(2),
    "MaxoutDense": old.projected,
    "RandomFourierFeatures": old.projected,
}

SHAPES: Mapping[str, Rule] = MappingProxyType(
    {**_CLASSES, **_OLD, **{alias: _CLASSES[name] for alias, name in ALIASES.items() if name in _CLASSES}}
)
"""Every built-in layer that has a rule, aliases included, and those that only old Keras had."""


_BEYOND: Mapping[str, Rule] = MappingProxyType(
    {
        "CustomScaleLayer": merge.scaled_sum,
        "LayerScale": elementwise.same,
        "StochasticDepth": elementwise.same,
        "TFDConcat": merge.concatenate,
        "TFDIdentity": elementwise.same,
    }
)
"""The layers of Keras outside `keras.layers`."""


def output_shapes(args: Args, call: Call, infer: Infer) -> Outputs:
    """The shapes of what comes out of a layer or an operation for one call; none for a class that is not built in.

    Raises ConfigError where the inputs do not fit, or where what would come out is larger than any array.
    """
    rules = OPERATIONS if args.operation else SHAPES
    rule = None if args.foreign else rules.get(args.class_name) or (_BEYOND[args.class_name] if beyond(args) else None)
    found = rule(args, call, infer) if rule else ()
    if not all(map(_is_possible, found)):
        raise misfit(args, f"inputs that make no axis larger than {MAX_SIZE} and no more than {MAX_RANK} axes")
    return found


def _is_possible(shape: Shape | None) -> bool:
    """Whether an array can have such a shape, which also keeps sizes from growing from layer to layer."""
    return shape is None or (len(shape) <= MAX_RANK and all(size is None or 0 <= size <= MAX_SIZE for size in shape))
