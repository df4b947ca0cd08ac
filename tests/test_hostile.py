"""Hostile, broken and confusing checkpoints: every command meets them all without crash, hang or harm."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.corpus import needs_adversarial
from tests.floods import ENDLESS
from tests.samples import FIXTURES

pytestmark = [needs_adversarial, pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX systems")]

COMMANDS = {
    "ls": ["ls", "{}"],
    "everything": ["ls", "{}", "--section", "all", "--stats", "--sha256", "--output", "json"],
    "info": ["info", "{}"],
    "diff": ["diff", str(FIXTURES / "keras3/mlp.keras"), "{}", "--optimizer"],
    "diff of itself": ["diff", "{}", "{}"],
    "textconv": ["textconv", "{}"],
    "convert": ["convert", "{}", "{}.converted.keras", "--no-prove"],
    "verify": ["verify", "{}", str(FIXTURES / "keras3/mlp.keras"), "--values", "--optimizer"],
    "verify against it": ["verify", str(FIXTURES / "keras3/mlp.weights.h5"), "{}"],
    "spec": ["spec", "{}", "--output-file", "{}.spec.json"],
    "check": ["check", "{}", "--no-config", "--output-file", "{}.report.sarif"],
    "report": ["report", "{}", "--isolated", "--output-file", "{}.report.html"],
}
CODES = dict.fromkeys(("verify", "verify against it", "check"), (0, 1, 2)) | {"diff": (1, 2)}  # the others: 0 or 2

# Where `ls` does something else than the label of a case says, and why.
INSTEAD = {
    "co_zip_no_weights.keras": ("refuse", "a checkpoint without weights cannot be listed"),
    "co_zip_weights_truncated.keras": ("refuse", "the weights cannot be listed"),
    "co_zip_weights_text.keras": ("refuse", "the weights cannot be listed"),
    "co_zip_weights_empty.keras": ("refuse", "the weights cannot be listed"),
    "ce_npz_pickle.keras": ("refuse", "all its weights are pickles: nothing is left to list"),
    "zs_symlink_weights.keras": ("refuse", "the weights cannot be listed"),
    "co_zip_crc_weights.keras": ("refuse", "bytes that changed after saving are no checkpoint"),
    "co_shard_missing/model.weights.json": ("refuse", "a part of the weights is not there"),
    "co_shard_corrupt/model.weights.json": ("refuse", "a part of the weights cannot be listed"),
    "co_shard_self/model.weights.json": ("refuse", "a shard that is no HDF5 cannot be listed"),
    "fr_shard_symlink/model.weights.json": ("refuse", "a shard that may not be read cannot be listed"),
    "fr_user_defined_link.weights.h5": ("refuse", "nothing but the link is in it: no layout of Keras remains"),
    "rb_json_deep_lists.keras": ("refuse", "a config that costs all that the file may"),
    "rb_json_deep_dicts.keras": ("refuse", "a config that costs all that the file may"),
    "rb_legacy_config_deep.h5": ("refuse", "a config that costs all that the file may"),
    "rb_zip_lies_huge.keras": ("warn", "the config is refused, the weights are listed"),
    "rb_deep_groups.weights.h5": ("refuse", "nothing but groups is in it: no layout of Keras remains"),
    "rb_shard_json_huge/model.weights.json": ("refuse", "an index of 40,000 shards: none of them is opened"),
    "rb_json_big_int.keras": ("warn", "the config is refused, the weights are listed"),
    "co_ohdr_cont_cycle.weights.h5": ("warn", "one object is damaged, the others are listed"),
    "co_ohdr_size_huge.weights.h5": ("warn", "one object is damaged, the others are listed"),
    "cf_names_empty.weights.h5": ("warn", "one link is refused, the others are listed"),
    "rb_many_datasets.weights.h5": ("refuse", "12,000 datasets that take more work than the file is worth"),
    "rb_many_datasets_200k.keras": ("refuse", "200,000 datasets that take more work than the file is worth"),
    "rb_hardlinks_many.weights.h5": ("refuse", "40,000 names that take more work than the file is worth"),
    "rb_zip_weights_zeros.keras": ("refuse", "3 GiB of zeros that take more work than the file is worth"),
    "co_heap_free_cycle.weights.h5": ("ok", "the list of free space is never walked"),
}

# Categories of which `ls` must say something where the label says `warn`; the rest is for `check`, or shows itself only
# when values or configs are read.
SPOKEN = {"external-file", "link", "archive-path", "archive-ambiguous"}
UNSPOKEN = {
    "co_zip64_locator.keras": "zipfile reads the plain end record, as Keras does; nothing differs in the listing",
    "zs_layer_name_traversal.keras": "names inside a config are judged by the rules for configs, not by listing",
}


@dataclass(frozen=True)
class Case:
    """One hostile checkpoint: its label, and what each command did to it."""

    file: str
    label: str
    category: str
    results: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def cases(hostile: Path) -> list[Case]:
    """Every case after all commands ran on it."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(COMMANDS, pool.map(partial(outcomes, hostile), COMMANDS.values()), strict=True))
    manifest = json.loads((hostile / "manifest.json").read_text())["cases"]
    return [
        Case(
            case["file"],
            case["ls"],
            case["category"],
            {name: answers[case["file"]] for name, answers in results.items()},
        )
        for case in manifest
    ]


def outcomes(folder: Path, arguments: list[str]) -> dict[str, dict[str, Any]]:
    """The outcome of the command for each case; fails where its process did not survive one."""
    runner = Path(__file__).with_name("hostile_runner.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, str(runner), str(folder), *arguments], capture_output=True, env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died with {done.returncode} on {lines[-1]['file']}: {done.stderr[-2000:]!r}"
    return {line["file"]: line for line in lines if "exit_code" in line}


def each(cases: list[Case]) -> list[tuple[str, str, dict[str, Any]]]:
    """Every command on every case, as (file, command, outcome)."""
    return [(case.file, name, outcome) for case in cases for name, outcome in case.results.items()]


def label_of(outcome: dict[str, Any]) -> str:
    """The outcome of `ls`, in the words of the labels."""
    if outcome["exit_code"] == 2:
        return "refuse"
    return "warn" if "warning:" in outcome["stderr"] else "ok"


def test_nothing_but_an_error_of_ours_ends_a_command(cases: list[Case]) -> None:
    """No exception escapes, and the exit code is one that the command has for it."""
    broken = [
        (file, name, outcome["exception"], outcome["exit_code"])
        for file, name, outcome in each(cases)
        if outcome["exception"] or outcome["exit_code"] not in CODES.get(name, (0, 2))
    ]
    assert broken == []
    assert len(cases) >= 460


def test_no_traceback_is_shown(cases: list[Case]) -> None:
    """A fault is reported in a message."""
    assert [file for file, _, outcome in each(cases) if "Traceback" in outcome["stderr"] + outcome["stdout"]] == []


def test_every_case_ends(cases: list[Case]) -> None:
    """No case takes what only one without an end does, many times what the slowest needs."""
    assert [
        (file, name, outcome["seconds"]) for file, name, outcome in each(cases) if outcome["seconds"] > ENDLESS
    ] == []


def test_no_control_character_reaches_the_terminal(cases: list[Case]) -> None:
    """Names from files are escaped in both streams, in text and in JSON."""
    loud = [
        (file, name)
        for file, name, outcome in each(cases)
        if any(not (char.isprintable() or char == "\n") for char in outcome["stdout"] + outcome["stderr"])
    ]
    assert loud == []


def test_nothing_outside_the_checkpoint_is_opened(cases: list[Case], hostile: Path) -> None:
    """Links, external storage, virtual datasets, shards and vocabularies lead nowhere."""
    canary = str((hostile / "canary").resolve())
    led = [
        (file, path)
        for file, _, outcome in each(cases)
        for path in outcome["opened"]
        if path.startswith(canary) or path in ("/etc/passwd", "/etc/hostname")
    ]
    assert led == []
    assert all(case.results["ls"]["opened"] for case in cases if case.label == "ok"), "nothing was watched"


def test_no_payload_ran(cases: list[Case], hostile: Path) -> None:
    """The marker that every payload would create is not there."""
    assert cases
    assert not (hostile.parent / "MARKER").exists()


def test_ls_does_what_each_label_says(cases: list[Case]) -> None:
    """Honest and odd files are listed, broken ones refused; where it is otherwise, a reason is given."""
    wrong = []
    for case in cases:
        wanted, done = INSTEAD.get(case.file, (case.label, ""))[0], label_of(case.results["ls"])
        if case.file == "special/unreadable.h5" and os.geteuid() == 0:
            continue  # the superuser may read it
        listed = done != "refuse"
        if wanted != "any" and listed != (wanted != "refuse"):
            wrong.append((case.file, wanted, done, case.results["ls"]["stderr"][:200]))
    assert wrong == []


def test_ls_says_what_it_did_not_follow(cases: list[Case]) -> None:
    """A link, an outside file, an odd path in an archive or two possible readings are told in a warning."""
    silent = [
        case.file
        for case in cases
        if case.label == "warn"
        and case.category in SPOKEN
        and case.file not in UNSPOKEN
        and label_of(case.results["ls"]) == "ok"
    ]
    assert silent == []


def test_errors_say_what_to_look_at(cases: list[Case]) -> None:
    """Every refusal is one error that begins with the path."""
    for case in cases:
        outcome = case.results["ls"]
        if outcome["exit_code"] == 2 and not outcome["stdout"]:
            assert outcome["stderr"].count("error: ") == 1, case.file
            assert Path(case.file).name.split("\n")[0][:5] in outcome["stderr"], case.file
