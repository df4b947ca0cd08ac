"""Layers that never have weights of their own and hold no layer that could (keras/src/layers, 3.15).

Many keep the state of a random generator, which no layout stores.
"""

from ckpttool.model.arguments import Args
from ckpttool.model.sizes import Inputs
from ckpttool.model.slots import Part

ACTIVATIONS = ("Activation", "ELU", "LeakyReLU", "ReLU", "Softmax")
CORE = ("Identity", "InputLayer", "Lambda", "Layer", "Masking")
MERGING = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
POOLING = (
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
)
PREPROCESSING = (
    "CategoryEncoding",
    "HashedCrossing",
    "Hashing",
    "MelSpectrogram",
    "Rescaling",
)
IMAGES = (
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MaxNumBoundingBoxes",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
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
    "Resizing",
    "Solarization",
)
REGULARIZATION = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "UnitNormalization",
)
RESHAPING = (
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Flatten",
    "Permute",
    "RepeatVector",
    "Reshape",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
)
NAMES = (*ACTIVATIONS, *CORE, *MERGING, *POOLING, *PREPROCESSING, *IMAGES, *REGULARIZATION, *RESHAPING)


def weightless(args: Args, inputs: Inputs) -> Part:
    """A layer without weights."""
    return args.part()
