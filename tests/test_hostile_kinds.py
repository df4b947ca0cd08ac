"""Hostile checkpoints, one or two of each kind, that earlier versions let pass, or that cost them much."""

import json
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.corpus import ADVERSARIAL_2
from tests.floods import COMMANDS, ENDLESS, MEGABYTES, measured

pytestmark = [
    pytest.mark.skipif(not ADVERSARIAL_2.is_dir(), reason="these hostile checkpoints are not beside this checkout"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX systems"),
]

# The rule that an error of each file comes from; none where the file is odd and harmless.
RULES = {
    "c_classmethod_dataset_load.h5": "S102",
    "c_classmethod_load_library.h5": "S102",
    "c_constants_superscript.h5": "",
    "c_library_docker_from_env.keras": "S102",
    "c_library_fabric_Connection.keras": "S102",
    "c_library_invoke_run.keras": "S102",
    "c_library_plumbum_local.keras": "S102",
    "c_library_psutil_Popen.keras": "S102",
    "c_library_ptyprocess_PtyProcess.keras": "S102",
    "c_slicingop_write.h5": "S102",
    "c_tfop_gfile_delete_tree.h5": "S102",
    "c_tfop_matching_files.h5": "S102",
    "c_tfop_multi_process.h5": "S102",
    "c_tfop_raw_decode_proto.h5": "S102",
    "c_tfop_raw_summary_file.h5": "S102",
    "c_tfop_session.h5": "S102",
    "c_tfop_write_file.h5": "S102",
    "c_vocabulary_file_absolute.h5": "S107",
    "h_attr_header_and_dense.h5": "S302",
    "h_attr_training_config_two.h5": "S302",
    "h_btree2_leaf_again_deflated.keras": "I101",
    "h_header_message_flood.keras": "S401",
    "h_iterations_nan.h5": "N101",
    "h_superscript_number.weights.h5": "",
    "h_wide_names.keras": "I101",
    "p_torch_and_keras.keras": "S303",
    "z_flag8_local_sizes_lie.keras": "S302",
}


@cache
def report(path: Path) -> tuple[int, set[str]]:
    """The exit code of `check`, and the rules of the errors that it tells."""
    from click.testing import CliRunner

    from ckpttool.cli import main

    done = CliRunner().invoke(main, ["check", str(path), "--isolated", "--output", "json"])
    findings = json.loads(done.stdout)["checkpoints"][0]["findings"]
    return done.exit_code, {finding["code"] for finding in findings if finding["severity"] == "error"}


def test_all_are_here() -> None:
    """No file is left out."""
    assert sorted(path.name for path in ADVERSARIAL_2.iterdir()) == sorted(RULES)


@pytest.mark.parametrize("name", RULES)
def test_check_says_what_is_wrong(name: str) -> None:
    """A dangerous or broken file is an error of its rule; a harmless one passes."""
    code, errors = report(ADVERSARIAL_2 / name)
    assert (code, RULES[name] in errors) == ((1, True) if RULES[name] else (0, False))
    assert bool(errors) == bool(RULES[name])


@pytest.mark.parametrize(
    "name", ["c_constants_superscript.h5", "h_iterations_nan.h5", "h_superscript_number.weights.h5"]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_odd_numbers_crash_no_command(name: str, command: str, tmp_path: Path) -> None:
    """Every command ends with an exit code of its own, not with an exception."""
    from click.testing import CliRunner

    from ckpttool.cli import main

    path = tmp_path / name
    path.write_bytes((ADVERSARIAL_2 / name).read_bytes())
    done = CliRunner().invoke(main, [argument.replace("{}", str(path)) for argument in COMMANDS[command]])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.exit_code in (0, 1, 2)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule in ("I101", "S401")])
@pytest.mark.parametrize("command", ["stats", "info", "diff", "check"])
def test_no_command_costs_much(name: str, command: str, tmp_path: Path) -> None:
    """Every command ends by itself, within 300 MB, and without a traceback."""
    path = tmp_path / name
    path.write_bytes((ADVERSARIAL_2 / name).read_bytes())
    seconds, megabytes, code, message = measured(path, command)
    assert code in (0, 1, 2)
    assert "Traceback" not in message
    assert seconds < ENDLESS
    assert megabytes < MEGABYTES
