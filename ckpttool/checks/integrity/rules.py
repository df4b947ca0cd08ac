"""The rules of integrity."""

from functools import partial

from ckpttool.checks.rule import Rule, Severity

_error, _warning, _info = (partial(Rule, family="integrity", severity=severity) for severity in reversed(Severity))

DAMAGED = _error(
    code="I101",
    name="damaged",
    finds="A file, or a part of one, that breaks the rules of its own format: cut off, overwritten, a wrong checksum.",
    why="Loading it fails, or loads values that nobody trained.",
    remedy="Fetch or save the file again, and compare its checksum with that of the original.",
)

MISSING_PART = _error(
    code="I102",
    name="missing-part",
    finds="A part that the file itself lists and that is not in it: a weight, a layer's group, a shard, a member.",
    why="Keras raises when it comes to the part, or leaves the weights as they were initialized.",
    remedy="Save the model again; of a sharded checkpoint, copy all of its files.",
)

UNREADABLE = _error(
    code="I103",
    name="unreadable-weights",
    finds="Weights whose values cannot be read: an unknown filter, or a type that Keras does not write.",
    why="Loading the file needs a plugin of HDF5, or is not possible at all; these weights could not be checked.",
    remedy="Repack the file with h5repack, or save the model again with Keras.",
)

NO_CHECKPOINT = _error(
    code="I104",
    name="no-checkpoint",
    finds="Something else under the name of a checkpoint: a git-lfs pointer, a web page, HDF5 data of another program.",
    why="Nothing of a model is there to be deployed.",
    remedy="Fetch the file itself in place of a git-lfs pointer (`git lfs pull`) or a web page; leave architectures "
    "and data of other programs out of what is checked.",
)

NO_WEIGHTS = _error(
    code="I105",
    name="config-without-weights",
    finds="A model whose layers have weights, none of which are stored.",
    why="Keras raises, or runs the model as it was initialized, untrained.",
    remedy="Save the model again, and look at the file with `ckpttool ls` before it is shipped.",
)

NO_CONFIG = _info(
    code="I106",
    name="weights-without-config",
    finds="A whole-model file without the config of its model.",
    why="It can be loaded only into a model that code builds.",
    remedy="Save with model.save, or keep the architecture beside the file.",
)

SLOT_MISSING = _error(
    code="I107",
    name="weight-missing",
    finds="A weight that a layer of the file's own config has, and that is not stored in a fitting shape.",
    why="Keras raises, or leaves the weight as it was initialized.",
    remedy="Save the model again; `ckpttool verify` shows for each weight whether it fits.",
)

LEFT_OVER = _warning(
    code="I108",
    name="weight-left-over",
    finds="A stored part that no layer takes: a weight without a slot, an array of no layer, a stray shard.",
    why="Config and weights are of different models, or a save was mixed with the rest of an older one.",
    remedy="Save the model again under a new name; `ckpttool verify` shows for each weight whether it fits.",
)

SENSELESS_CONFIG = _warning(
    code="I109",
    name="senseless-config",
    finds="A config whose layers or connections make no sense, so that the weights cannot be compared with it.",
    why="Keras most likely cannot build the model.",
    remedy="Save the model again; where Keras loads it, report it to ckpttool.",
)

UNKNOWN_SLOTS = _info(
    code="I110",
    name="unlisted-layers",
    finds="A config that does not list its layers: of a model of an own class, or of a FeatureSpace alone.",
    why="The file does not show whether all of its weights are stored.",
    remedy="Write a spec from the live model with `ckpttool spec`, and check or verify against that.",
)

CHECKSUM = _error(
    code="I111",
    name="checksum-mismatch",
    finds="A file whose checksum or size differs from its entry in checkpoints.json, or from the required checksum.",
    why="It was altered after it was saved, or it is another file under this name.",
    remedy="Fetch it again, or record the checksum of the file that is meant.",
)

WRONG_SUFFIX = _warning(
    code="I112",
    name="wrong-suffix",
    finds="A name that promises another format than the content is.",
    why="Keras chooses how to load a file by its name, and fails on this one.",
    remedy="Rename the file, or convert it with `ckpttool convert`.",
)

TOO_MANY = _error(
    code="I113",
    name="weights-too-many",
    finds="A layer with more weights stored than it has: a scale beside a quantized kernel, an array of another model.",
    why="Keras counts the weights of a layer before it loads them, and raises.",
    remedy="Load it with the Keras that saved it, and save a model whose layers have these weights.",
)

NO_VOCABULARY = _error(
    code="I114",
    name="vocabulary-missing",
    finds="A layer that looks values up, and whose vocabulary is neither in the config nor among the assets.",
    why="A .h5 holds no vocabulary, and assets get lost; the model that Keras loads raises when it is called.",
    remedy="Build the model with its vocabulary, load the weights into it, and save it as .keras.",
)

OBJECTS_DIFFER = _error(
    code="I115",
    name="objects-differ",
    finds="A variable of a SavedModel that is stored in another shape or dtype than its graph states.",
    why="Graph and weights are of different models; TensorFlow raises, or runs with weights that are not the graph's.",
    remedy="Save the model again into an empty place, and copy its files together.",
)

RULES = (
    *(DAMAGED, MISSING_PART, UNREADABLE, NO_CHECKPOINT, NO_WEIGHTS, NO_CONFIG, SLOT_MISSING, LEFT_OVER),
    *(SENSELESS_CONFIG, UNKNOWN_SLOTS, CHECKSUM, WRONG_SUFFIX, TOO_MANY, NO_VOCABULARY),
    OBJECTS_DIFFER,
)
