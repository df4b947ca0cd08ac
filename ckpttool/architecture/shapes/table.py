"""The table of output shapes: for each built-in layer of Keras 3.15 the rule that tells what comes out of a call.

That the rules are true is for the tests to show, against live layers. Models are walked, not looked up.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ckpttool.architecture.args import Args
from ckpttool.architecture.families.beyond import beyond
from ckpttool.architecture.graph import Call
from ckpttool.architecture.shapes.call import Infer, Outputs, Rule
from ckpttool.architecture.shapes.layers import (
    attention,
    convolutional,
    core,
    einsum,
    elementwise,
    images,
    merging,
    old,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
    wrappers,
)
from ckpttool.architecture.shapes.layers.given import misfit, unknown
from ckpttool.architecture.shapes.operations.table import OPERATIONS
from ckpttool.architecture.sizes import MAX_RANK, MAX_SIZE, Shape
from ckpttool.architecture.spelling import ALIASES

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
    "AdaptiveAveragePooling1D": pooling.adaptive_pool(1),
    "AdaptiveAveragePooling2D": pooling.adaptive_pool(2),
    "AdaptiveAveragePooling3D": pooling.adaptive_pool(3),
    "AdaptiveMaxPooling1D": pooling.adaptive_pool(1),
    "AdaptiveMaxPooling2D": pooling.adaptive_pool(2),
    "AdaptiveMaxPooling3D": pooling.adaptive_pool(3),
    "Add": merging.elementwise(),
    "AdditiveAttention": attention.attention,
    "Attention": attention.attention,
    "Average": merging.elementwise(),
    "AveragePooling1D": pooling.pool(1),
    "AveragePooling2D": pooling.pool(2),
    "AveragePooling3D": pooling.pool(3),
    "BatchNormalization": elementwise.along(-1),
    "Bidirectional": recurrent.bidirectional,
    "CategoryEncoding": preprocessing.category_encoding,
    "CenterCrop": images.sized,
    "Concatenate": merging.concatenate,
    "Conv1D": convolutional.conv(1),
    "Conv1DTranspose": convolutional.conv_transpose(1),
    "Conv2D": convolutional.conv(2),
    "Conv2DTranspose": convolutional.conv_transpose(2),
    "Conv3D": convolutional.conv(3),
    "Conv3DTranspose": convolutional.conv_transpose(3),
    "ConvLSTM1D": recurrent.conv_lstm(1),
    "ConvLSTM2D": recurrent.conv_lstm(2),
    "ConvLSTM3D": recurrent.conv_lstm(3),
    "Cropping1D": reshaping.cropping(1, 1),
    "Cropping2D": reshaping.cropping(2, 0),
    "Cropping3D": reshaping.cropping(3, 1),
    "Dense": core.dense,
    "DepthwiseConv1D": convolutional.depthwise_conv(1),
    "DepthwiseConv2D": convolutional.depthwise_conv(2),
    "Discretization": preprocessing.discretization,
    "Dot": merging.dot,
    "EinsumDense": einsum.einsum_dense,
    "Embedding": core.embedding,
    "Flatten": reshaping.flatten,
    "GRU": recurrent.layer_of(1),
    "GRUCell": recurrent.cell,
    "GlobalAveragePooling1D": pooling.global_pool(1),
    "GlobalAveragePooling2D": pooling.global_pool(2),
    "GlobalAveragePooling3D": pooling.global_pool(3),
    "GlobalMaxPooling1D": pooling.global_pool(1),
    "GlobalMaxPooling2D": pooling.global_pool(2),
    "GlobalMaxPooling3D": pooling.global_pool(3),
    "GroupNormalization": elementwise.group_normalization,
    "GroupedQueryAttention": attention.grouped_query_attention,
    "HashedCrossing": preprocessing.hashed_crossing,
    "Hashing": preprocessing.hashing,
    "InputLayer": core.input_layer,
    "IntegerLookup": preprocessing.lookup,
    "LSTM": recurrent.layer_of(2),
    "LSTMCell": recurrent.cell,
    "Lambda": core.declared_lambda,
    "Layer": unknown,
    "LayerNormalization": elementwise.along(-1),
    "MaxNumBoundingBoxes": images.max_boxes,
    "MaxPooling1D": pooling.pool(1, 2),
    "MaxPooling2D": pooling.pool(2, 2),
    "MaxPooling3D": pooling.pool(3, 2),
    "Maximum": merging.elementwise(),
    "MelSpectrogram": preprocessing.mel_spectrogram,
    "Minimum": merging.elementwise(),
    "MultiHeadAttention": attention.multi_head_attention,
    "Multiply": merging.elementwise(),
    "Normalization": elementwise.along(-1),
    "PReLU": elementwise.prelu,
    "Permute": reshaping.permute,
    "Pipeline": wrappers.pipeline,
    "RMSNormalization": elementwise.along(-1),
    "RNN": recurrent.rnn,
    "RandomColorDegeneration": elementwise.colored,
    "RandomCrop": images.sized,
    "RepeatVector": reshaping.repeat_vector,
    "Reshape": reshaping.reshape,
    "Resizing": images.sized,
    "ReversibleEmbedding": core.reversible_embedding,
    "STFTSpectrogram": preprocessing.stft_spectrogram,
    "SeparableConv1D": convolutional.separable_conv(1),
    "SeparableConv2D": convolutional.separable_conv(2),
    "SimpleRNN": recurrent.layer_of(1),
    "SimpleRNNCell": recurrent.cell,
    "SpatialDropout1D": elementwise.same_of_rank(3),
    "SpatialDropout2D": elementwise.same_of_rank(4),
    "SpatialDropout3D": elementwise.same_of_rank(5),
    "SpectralNormalization": wrappers.spectral_normalization,
    "StackedRNNCells": recurrent.stacked_cells,
    "StringLookup": preprocessing.lookup,
    "Subtract": merging.elementwise(2),
    "TextVectorization": preprocessing.text_vectorization,
    "TimeDistributed": wrappers.time_distributed,
    "UnitNormalization": elementwise.along(-1),
    "UpSampling1D": reshaping.up_sampling(1),
    "UpSampling2D": reshaping.up_sampling(2),
    "UpSampling3D": reshaping.up_sampling(3),
    "Wrapper": unknown,
    "ZeroPadding1D": reshaping.zero_padding(1),
    "ZeroPadding2D": reshaping.zero_padding(2),
    "ZeroPadding3D": reshaping.zero_padding(3),
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
        "CustomScaleLayer": merging.scaled_sum,
        "LayerScale": elementwise.same,
        "StochasticDepth": elementwise.same,
        "TFDConcat": merging.concatenate,
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
