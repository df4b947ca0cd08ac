"""Calls of TensorFlow that a config may make: the table, and its verdicts on calls that are known to be harmful."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckpttool.dangers import Kind, dangers_in
from ckpttool.dangers.tensorflow_calls import functions, nodes
from ckpttool.model.tensorflow_ops.raw_ops import LISTS, RAW
from ckpttool.model.tensorflow_ops.table import FUNCTIONS
from tests.loops import for_each

RECIPE = Path(__file__).with_name("live_functions.py")

# What reads, writes, fetches or runs something, or takes bytes of a stranger apart, by the names of TensorFlow 2.15.
HARMFUL = (
    "io.read_file", "io.write_file", "io.matching_files", "io.parse_tensor", "io.decode_proto", "io.encode_proto",
    "io.decode_compressed", "io.gfile.remove", "io.gfile.GFile", "io.gfile.copy", "io.gfile.rmtree",
    "io.TFRecordWriter", "compat.v1.read_file", "compat.v1.write_file", "compat.v1.matching_files",
    "compat.v1.gfile.Remove", "compat.v1.gfile.DeleteRecursively", "compat.v1.Session",
    "compat.v1.InteractiveSession", "compat.v1.Print", "print", "load_library", "load_op_library",
    "compat.v1.load_file_system_library", "saved_model.load", "saved_model.save", "compat.v1.saved_model.load",
    "compat.v1.train.import_meta_graph", "compat.v1.train.Saver", "train.load_checkpoint", "train.Checkpoint",
    "py_function", "numpy_function", "compat.v1.py_func", "function", "map_fn", "while_loop", "cond", "vectorized_map",
    "data.Dataset", "data.Dataset.list_files", "data.TFRecordDataset", "data.experimental.load", "random.Generator",
    "lookup.TextFileInitializer", "lookup.StaticHashTable", "queue.FIFOQueue", "summary.create_file_writer",
    "compat.v1.summary.FileWriter", "debugging.experimental.enable_dump_debug_info", "profiler.experimental.start",
    "profiler.experimental.server.start", "distribute.Server", "config.experimental_connect_to_host",
    "__internal__.distribute.multi_process_runner.run", "sysconfig.get_lib", "test.main", "compat.v1.app.run",
    "random.fixed_unigram_candidate_sampler", "rpc_server", "rpc_call", "xla_custom_call", "Variable",
    "feature_column.categorical_column_with_vocabulary_file", "experimental.dlpack.from_dlpack", "timestamp",
    "audio.decode_wav", "image.decode_image", "autograph.to_code", "experimental.register_filesystem_plugin",
)  # fmt: skip
HARMFUL_NODES = (
    "Abort", "CreateSummaryFileWriter", "DecodeProtoV2", "DebugIdentity", "DebugIdentityV2", "EagerPyFunc",
    "FileSystemSetConfiguration", "FixedUnigramCandidateSampler", "ImmutableConst", "InitializeTableFromTextFile",
    "LoadAndRemapMatrix", "MatchingFiles", "MergeV2Checkpoints", "ParseTensor", "PartitionedCall", "Print", "PrintV2",
    "PyFunc", "PyFuncStateless", "ReadFile", "RemoteCall", "RestoreV2", "SaveV2", "ShardedFilename", "SymbolicGradient",
    "TFRecordDataset", "VarHandleOp", "While", "WriteFile", "XlaLaunch",
)  # fmt: skip


def test_what_convert_rewrites_is_known() -> None:
    """Every function and every operation of which `convert` has an equivalent passes."""
    named = [name for name in FUNCTIONS if not name.startswith("raw.")]  # which no config names, but `convert` itself
    assert [
        name for name in named if list(dangers_in({"class_name": "TFOpLambda", "config": {"function": name}}))
    ] == []
    assert {*RAW, *LISTS, "Split", "SplitV"} <= nodes()


def test_what_does_more_than_compute_is_not_known() -> None:
    """Nothing that touches a file, a network, a process or Python is in the table, under any of its names."""
    assert [name for name in HARMFUL if name in functions()] == []
    assert [name for name in HARMFUL if f"compat.v1.{name}" in functions()] == []
    assert [name for name in HARMFUL_NODES if name in nodes()] == []


@for_each(HARMFUL)
def test_calls_that_do_more_are_dangers(name: str) -> None:
    """A layer that calls it is dangerous, and says what it calls."""
    (danger,) = dangers_in({"class_name": "TFOpLambda", "config": {"function": name}})
    assert danger.kind.value == "unsafe-callable" and name in danger.detail


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_the_table_is_that_of_live_tensorflow() -> None:
    """The recipe, run with the TensorFlow that is here, lets pass what the table does."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, str(RECIPE)], capture_output=True, check=True, env=environment)
    live = json.loads(done.stdout)
    table = json.loads((Path(__file__).parents[2] / "ckpttool/dangers/functions.json").read_text())
    if live["version"] != table["versions"][-1]:
        pytest.skip(f"the newest TensorFlow of the table is {table['versions'][-1]}, here is {live['version']}")
    known = set(live["known"])
    assert functions() & known == set(live["functions"])
    assert {name for name in nodes() if f"node {name}" in known} == set(live["nodes"])


@pytest.mark.parametrize("name", "TFOpLambda SlicingOpLambda TensorFlowOpLayer ClassMethod InstanceMethod".split())
def test_configs_of_any_type_are_judged(name: str) -> None:
    """A layer whose config names its function in no way that can be read is unsafe; a config that is no object, with
    which Keras makes no layer, is not judged."""
    for config in ({"function": 3}, {"node_def": [1]}, {"cls_symbol": {}}, {"attr_name": []}):
        assert {danger.kind for danger in dangers_in({"class_name": name, "config": config})} == {Kind.UNSAFE_CALLABLE}
    for config in (None, [], 3, "x"):
        assert not list(dangers_in({"class_name": name, "config": config}))
