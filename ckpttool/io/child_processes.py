"""Child processes: Python started in isolation, so that only what is installed decides which code runs in one.

A child looks for modules neither in the current directory nor in the directories of `PYTHONPATH`, starts in the root
directory, has no descriptors but its three streams, and an environment of a few harmless variables. The user's own
code runs where the user named a function (`ckpttool.model.live.user_function`), and nowhere else.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ckpttool.errors import ChildError

ROOT = os.path.abspath(os.sep)
"""The directory in which children start."""

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = ("site-packages", "dist-packages")  # the names that directories of installed packages have
_STANDARD_LIBRARY = os.path.dirname(os.__file__)

# The variables by which a program finds its temporary directory, its language, and on Windows the system itself.
_PASSED = set(
    """
    PATH HOME USER LOGNAME LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT
    USERNAME USERPROFILE APPDATA LOCALAPPDATA NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE
    """.split()
)
# Some Pythons find their own shared library by these, those of actions/setup-python among them.
_LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

# ckpttool is loaded from where this process has it, whatever else lies beside it or is installed under its name.
_START = """
import importlib, importlib.util, json, sys
job = json.loads(sys.argv[1])
sys.path[:] = job["path"]
spec = importlib.util.spec_from_file_location("ckpttool", job["package"])
sys.modules["ckpttool"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
importlib.import_module(job["module"]).main(*job["arguments"])
"""


Child = subprocess.Popen[bytes]
"""A process that was started."""


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = subprocess.DEVNULL,
    stderr: int | None = subprocess.DEVNULL,
) -> Child:
    """Start a process that calls `main` of a module of ckpttool's with these arguments, isolated. Paths among them have
    to be absolute. Raises ChildError."""
    package = str(_PACKAGE / "__init__.py")
    job = json.dumps({"path": search_path(), "package": package, "module": module, "arguments": arguments})
    encoding = f"utf8={sys.flags.utf8_mode:d}"  # -I ignores PYTHONUTF8, and names of files have to mean the same
    command = [sys.executable, "-I", "-X", encoding, "-c", _START, job]
    try:
        return subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdin=stdin, stdout=stdout, stderr=stderr, close_fds=True
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ChildError(f"a process of ckpttool's own cannot be started: {reason}") from error


def clean_environment(**settings: str) -> dict[str, str]:
    """The variables of the environment that a child may have, and these settings on top of them: nothing that Python,
    TensorFlow, Keras, CUDA or the memory allocator obeys, and of the paths of shared libraries the absolute ones."""
    passed = {
        name: value for name, value in os.environ.items() if name.upper() in _PASSED or name.upper().startswith("LC_")
    }
    for name in _LIBRARIES:
        places = [place for place in os.environ.get(name, "").split(os.pathsep) if os.path.isabs(place)]
        if places:
            passed[name] = os.pathsep.join(places)
    return passed | settings


def search_path() -> list[str]:
    """The directories in which a child looks for modules: those of this process without the user's own ones."""
    own = set(own_directories())
    return [entry for entry in _entries() if entry not in own or _is_installed(entry)]


def own_directories() -> list[str]:
    """The directories in which the user's own code is: the current one, and those of this process's search path that
    are there because of a script or of `PYTHONPATH`."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    named = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), os.path.dirname(main) if main else ""]
    here = current_directory()
    own = {os.path.realpath(os.path.join(here, place)) for place in named if here or os.path.isabs(place)}
    directories = [
        here,
        *(entry for entry in _entries() if os.path.realpath(entry) in own and not _is_installed(entry)),
    ]
    return list(dict.fromkeys(filter(None, directories)))


def _entries() -> list[str]:
    """The directories in which this process looks for modules, without the entry that stands for the current one."""
    return [entry for entry in sys.path if isinstance(entry, str) and os.path.isabs(entry)]


def current_directory() -> str:
    """The path of the current directory; empty where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _is_installed(directory: str) -> bool:
    """Whether a directory is one of the standard library or of installed packages."""
    place = os.path.normpath(directory)
    if os.path.basename(place) in _INSTALLED or f"{place}{os.sep}".startswith(f"{_STANDARD_LIBRARY}{os.sep}"):
        return True
    beside = Path(place) == _PACKAGE.parent
    return beside and any(name.startswith("ckpttool-") and name.endswith(".dist-info") for name in os.listdir(place))
