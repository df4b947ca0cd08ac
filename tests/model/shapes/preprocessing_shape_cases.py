"""Calls of layers that prepare data: categories, text, sound, images."""

from collections.abc import Iterator
from typing import Any

from tests.model.layer_cases import Spec, spec
from tests.model.shapes.shape_case import FORMATS, Case, calls


def categories() -> Iterator[Case]:
    """Encoding of categories and text, spectrograms."""
    shapes = [(None, 3), (None, 1), (2, 4, 1), (None,), (None, None), (2, 3, 4)]
    modes = (..., "int", "one_hot", "multi_hot", "count")
    yield from calls("CategoryEncoding", shapes, "int32", num_tokens=(5,), output_mode=(*modes, "binary"))
    yield from calls("Hashing", shapes, "int32", num_bins=(5,), output_mode=modes)
    pairs = [[(None, 1), (None, 1)], [(2,), (2,)], [(2, 1), (2, 3)], [(None, 1)] * 3, [(None, 1)], [(2, 3), (2, 3)]]
    yield from calls("HashedCrossing", pairs, "int32", num_bins=(5,), output_mode=(..., "one_hot", "count"))
    yield from calls("Discretization", shapes, bin_boundaries=([0.0, 1.0, 2.0], []), output_mode=modes)
    yield from calls("Discretization", shapes, num_bins=(4,), output_mode=modes)
    lookups = (..., "one_hot", "multi_hot", "count", "binary")
    for name, dtype, entries in (("StringLookup", "string", ["a", "b"]), ("IntegerLookup", "int64", [7, 8, 9])):
        yield from calls(name, shapes, dtype, vocabulary=(entries,), output_mode=lookups)
        yield from calls(
            name,
            shapes,
            dtype,
            vocabulary=(entries,),
            output_mode=lookups[1:3],
            max_tokens=(9,),
            pad_to_max_tokens=(..., True),
        )
        yield from calls(name, shapes, dtype, output_mode=lookups[:2], max_tokens=(..., 8))
    texts = [(None, 1), (None,), (2, 1)]
    more: dict[str, tuple[Any, ...]] = {"vocabulary": (["a", "b"], ...), "split": (..., None, "character")}
    yield from calls("TextVectorization", texts, "string", **more, output_mode=(..., "multi_hot", "count"))
    yield from calls("TextVectorization", texts, "string", output_sequence_length=(7,))
    yield from calls(
        "TextVectorization", texts, "string", max_tokens=(9,), pad_to_max_tokens=(True,), output_mode=("multi_hot",)
    )
    signals = [(None, 1000), (1000,), (2, None)]
    yield from calls("MelSpectrogram", signals, sequence_stride=(..., 100), num_mel_bins=(..., 5))
    yield from calls("MelSpectrogram", signals[:1], fft_length=(64,), sequence_length=(..., 32, 128))
    waves = [(None, 1000, 2), (2, 2, 900), (None, None, 3), (None, 100, 1), (None, 1000)]
    more = {"expand_dims": (..., True), "data_format": FORMATS, "mode": (..., "stft", "real"), "window": (None,)}
    yield from calls("STFTSpectrogram", waves, **more, padding=(..., "same"))
    yield from calls(
        "STFTSpectrogram",
        waves[:1],
        window=(None,),
        frame_length=(100, 128),
        frame_step=(..., 30),
        fft_length=(..., 128),
    )
    yield from calls("STFTSpectrogram", waves[:1], window=(None,), frame_length=(100,), frame_step=(101,))


def random_images() -> Iterator[Case]:
    """Layers that change images."""
    shapes = [(None, 8, 9, 3), (8, 9, 3), (2, None, None, 3), (2, 3, 8, 9)]
    sizes: dict[str, tuple[Any, ...]] = {"height": (4,), "width": (12, 5), "data_format": FORMATS}
    for name in ("CenterCrop", "RandomCrop", "Resizing"):
        yield from calls(name, [*shapes, (8, 9)], **sizes)
    for name, kwargs in RANDOM.items():
        yield from calls(name, shapes, **{key: (value,) for key, value in kwargs.items()}, data_format=FORMATS)
        if name in ("CutMix", "MixUp", "RandomFlip"):
            yield Case(Spec(name, kwargs), ({"images": (None, 8, 9, 3), "labels": (None, 4)},))
    boxes = {"images": (None, 8, 9, 3), "bounding_boxes": {"labels": (None, 3), "boxes": (None, 3, 4)}}
    counted = spec("MaxNumBoundingBoxes", max_number=5, bounding_box_format="xyxy")
    yield Case(counted, (boxes,))
    yield Case(counted, ({"images": (None, 8, 9, 3)},))
    yield Case(counted, ((None, 8, 9, 3),))


RANDOM: dict[str, dict[str, Any]] = {
    "AugMix": {},
    "AutoContrast": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {},
    "CutMix": {},
    "Equalization": {},
    "MixUp": {},
    "RandAugment": {},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomColorJitter": {"brightness_factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomFlip": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.5},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomShear": {},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
    "Solarization": {},
}
