"""Speeds of tests: a run of `pytest` takes minutes and needs no TensorFlow, `pytest --full` asks all questions.

What live Keras answers, what has thousands of cases, and what starts a process or a server for each of many cases is
left to the full run. Single tests in other files that ask live Keras are skipped where it is not installed, or not
wanted. Of generated cases that are much alike, a full run has a sample in which each kind is; `pytest --full --slow`,
by hand, has them all.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")

FRAMEWORKS = ("jax", "keras", "tensorflow", "tf_keras", "torch")

LIVE = frozenset(
    """
    callbacks/test_keras_tests.py
    callbacks/test_matrix.py
    callbacks/test_mirrored.py
    checks/test_live_safety.py
    comparison/test_arguments_live.py
    comparison/test_generations_live.py
    conversion/test_every_layer.py
    conversion/test_removed_layers.py
    conversion/test_lent_vocabularies.py
    conversion/test_old_models.py
    conversion/test_own_classes.py
    conversion/test_saved_models.py
    formats/write/test_live.py
    habits/test_habits.py
    model/buildability/test_names.py
    model/generations/test_live.py
    model/live/test_user_function.py
    model/test_built.py
    model/test_defaults.py
    model/test_held_shapes.py
    model/test_optimizers.py
    model/test_work_live.py
    test_live_keras.py
    verification/test_dropped_axis.py
    verification/test_inner_optimizers.py
    verification/test_legacy_state.py
    verification/test_skipped_state.py
    verification/test_unlisted.py
    verification/test_verify_against_keras.py
    """.split()
)
"""Files that ask live Keras throughout."""

LIVE_TESTS: tuple[str, ...] = (
    "conversion/operations/test_keras2.py::test_computes_the_same",
    "conversion/test_corpus.py::test_predicts_what_old_keras_did",
    "conversion/test_crossentropies.py::test_answers_beyond_0_and_1",
    "conversion/test_crossentropies.py::test_keras_3_measures_as_before_or_convert_says_so",
    "conversion/test_crossentropies.py::test_metrics_are_measured_as_before_or_convert_says_so",
    "conversion/test_old_layers.py::test_predicts_what_old_keras_did",
    "conversion/test_old_layers.py::test_weights_alone",
    "conversion/test_resume.py::test_the_next_step_is_the_same",
    "conversion/test_stated_shapes.py::test_converted_it_predicts_the_same",
)
"""Tests of other files that ask live Keras about each of many cases, for which they convert a file first."""

BY_HAND = frozenset(
    """
    callbacks/test_backends.py
    callbacks/test_background.py
    callbacks/test_failing.py
    callbacks/test_model_checkpoint.py
    callbacks/test_options.py
    callbacks/test_restoration.py
    callbacks/test_set_ups.py
    callbacks/test_signals.py
    callbacks/test_snapshot.py
    model/test_objects.py
    """.split()
)
"""Files that ask live Keras for no gradients: a full run has it on TensorFlow, a quick one on NumPy, trained by hand
(tests/training_by_hand.py)."""

LONG: tuple[str, ...] = (
    "callbacks/test_kills.py",
    "callbacks/test_writer.py::test_killed_at_every_step",
    "checks/test_hostile_safety.py",
    "checks/test_safety_of_files.py::test_bombs",
    "cli/test_convert.py::test_proof_by_running",
    "cli/test_exits.py",
    "comparison/test_comparison.py::test_blocks_and_threads_as_they_are",
    "comparison/test_comparison.py::test_memory",
    "equivalence/test_conversions.py",
    "conversion/test_promises.py",
    "test_action.py::test_install",
    "test_docs.py::test_console_blocks_show_what_is_printed[guide.md]",
    "test_docs.py::test_python_blocks_run",
    "model/buildability/test_constructors.py::test_current",
    "formats/tensorflow/test_hostile_commands.py",
    "test_fuzzing.py",
    "test_hooks.py::test_hooks",
    "render/test_browser.py",
    "test_hostile.py",
    "test_notebook.py::test_the_notebook_of_the_documentation",
    "test_old_activations.py",
)
"""What else takes long: files, or tests of a file, as pytest names them."""

ON_TENSORFLOW: tuple[str, ...] = (
    "callbacks/test_restoration.py::test_as_a_graph",
    "callbacks/test_set_ups.py::test_it_ends_as_if_nothing_had_happened[steps that do not divide an epoch]",
    "callbacks/test_set_ups.py::test_it_ends_as_if_nothing_had_happened[more steps than an epoch has]",
    "callbacks/test_set_ups.py::test_it_ends_as_if_nothing_had_happened[two optimizers",
    "callbacks/test_signals.py::test_a_process_ends_as_it_would_have",
    "model/test_objects.py::test_built_in_layers[norms]",
)
"""Tests of the files of `BY_HAND` that ask for more: graphs, gradients, processes of their own, whole numbers of 64
bits."""

ONCE = frozenset(
    """
    checks/test_hostile_safety.py
    equivalence/test_conversions.py
    render/test_browser.py
    test_hostile.py
    test_house.py
    """.split()
)
"""Files in which all tests ask what is long to make: results of all hostile files, pages, trees of all the code."""

WHOLE = LIVE | BY_HAND | ONCE
"""Files that one process runs: Keras numbers names process by process, and what one test has made serves others."""


def scope(nodeid: str) -> str:
    """The unit that a process of a full run takes at once: a whole file, or one test."""
    file = nodeid.partition("::")[0]
    return file if file.removeprefix("tests/") in WHOLE else nodeid


def is_full() -> bool:
    """Whether everything is run: `pytest --full` says so to its processes."""
    return os.environ.get("CKPTTOOL_TESTS") in ("full", "slow")


def is_slow() -> bool:
    """Whether cases that are much alike are run, too: `pytest --full --slow` says so to its processes."""
    return os.environ.get("CKPTTOOL_TESTS") == "slow"


def examples(count: int) -> int:
    """The number of examples that hypothesis tries: all of them in a slow run, a quarter in a full one, a twentieth in
    a quick one. Each run draws others."""
    return count if is_slow() else max(5, count // (4 if is_full() else 20))


def one_of_each(cases: Iterable[Case], kinds: Callable[[Case], Iterable[object]]) -> list[Case]:
    """The cases that are of a kind which none before them is of; all of them in a slow run."""
    cases, met, chosen = list(cases), set[object](), list[Case]()
    for case in cases:
        new = set(kinds(case)) - met
        met |= new
        chosen += [case] if new else []
    return cases if is_slow() else chosen
