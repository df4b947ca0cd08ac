"""Names that a config may use: the classes and functions that models consist of, by module and by name.

Everything else in Keras, and all of Python's own modules, can read, write, fetch or run when a config names it
(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906). The table is that of Keras 3.15, with the older names of Keras 0 to 2;
`tests/dangers/live_modelling.py` asks live Keras for it.
"""

import builtins
import json
import re
import sys
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any


class Standing(Enum):
    """The verdict on a name in a config: `KNOWN` as part of models, `FOREIGN`, which is somebody else's code, or
    `UNSAFE`, which no model needs."""

    KNOWN = "known"
    FOREIGN = "foreign"
    UNSAFE = "unsafe"


# The package under its other names, and the parts that some version has put between its name and a module.
_KERAS = re.compile(r"(tf_keras|(tensorflow\.(python\.)?)?keras)((\.(api|keras|_tf_keras|_v1|_v2|compat|v1))*)(?=\.|$)")

_LONGEST = 300  # characters of the name of a module of Keras, by far

# Parts of Keras, of any version, in which a class or function of a known name is that class or function.
_AREAS = frozenset(
    """
    activations constraints distillation dtype_policies engine feature_column initializers layers losses metrics
    mixed_precision models ops optimizer_v1 optimizer_v2 optimizers premade premade_models quantizers random
    regularizers trainers wrappers
    """.split()
)

# The current module of classes that an older version had elsewhere (keras/utils/feature_space.py, 2.12 to 2.15).
_MOVED = {"keras.utils.feature_space": "keras.src.layers.preprocessing.feature_space"}

# Packages that are installed wherever Keras is, or often beside it, and can load, fetch or run code and files: their
# classes are never those that a user registered, whatever a config says.
_INSTALLED = frozenset(
    """
    Cython Crypto GPUtil IPython OpenSSL PIL Pyro4 Pyro5 _pytest absl accelerate aiofiles aiohttp airflow
    ansible anyio apscheduler asyncssh attr azure billiard black bokeh boto boto3 botocore build celery cffi
    click clearml cloudpickle comet_ml conda coremltools coverage cupy cv2 dash dask datasets dbus delegator
    dill distributed distutils django docker dulwich easyprocess envoy evaluate eventlet execnet fabric fastapi
    filelock fire flask fsspec gdown gevent git google gradio grpc gunicorn h5py httplib2 httpx huggingface_hub
    imageio impacket invoke ipykernel ipywidgets jax jaxlib jinja2 joblib jsonpickle jupyter jupyter_client
    jupyter_core keras_tuner keyring kubernetes loky loguru lxml mako matplotlib ml_dtypes mlflow moviepy
    multiprocess mypy namex nbconvert nbformat netCDF4 neptune nltk notebook nox numba numexpr numpy onnx
    onnxruntime optree optuna packaging pandas papermill paramiko pathos peewee pexpect pip pkg_resources
    playwright plotly plumbum psutil psycopg2 ptyprocess pwn py pyarrow pyautogui pycurl pydantic pydoc pydub
    pygit2 pymongo pymysql pynput pytest pythoncom pyximport ray redis requests rich rpyc salt scapy schedule
    scipy scrapy seaborn selenium setuptools sh six skimage sklearn smart_open spacy sqlalchemy starlette
    streamlit tables tensorboard tensorflow tensorflow_datasets tensorflow_estimator tensorflow_io theano torch
    torchvision tornado tox tqdm transformers trio twisted typer urllib3 uvicorn virtualenv wandb watchdog
    websockets werkzeug wget wheel win32api win32com xonsh yaml zarr zmq
    """.split()
)

# The modules of TensorFlow that define specifications of tensors.
_SPECIFICATIONS = re.compile(
    r"tensorflow\.python\.(framework\.(tensor|tensor_spec|sparse_tensor|indexed_slices|type_spec)|"
    r"ops\.ragged\.ragged_tensor|ops\.(tensor_array_ops|resource_variable_ops))"
)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("modelling.json").read_text(encoding="utf-8"))
    return table


@cache
def _names(kind: str) -> frozenset[str]:
    """The names of all "classes" or "functions", of Keras 3.15 and before."""
    return frozenset(_table()["older"][kind]).union(*_table()[kind].values())


@cache
def _short_functions() -> frozenset[str]:
    """The functions that configs name without their module."""
    names = (_table()["functions"][f"keras.{area}"] for area in ("activations", "losses", "metrics"))
    return frozenset(_table()["older"]["functions"]).union(*names)


def class_standing(module: str | None, name: str, registered: Any = None) -> Standing:
    """The standing of a class of which a config wants an instance; `module` is None where the config names none.

    Keras before 3.9 imports any module to look for a class in it. A class that is not Keras's own counts as the user's
    where `registered`, such as `package>Name`, says that the user registered it.
    """
    if not module or module == "__main__":
        is_own = name in _names("classes") and not (module is None and is_registered(registered))
        return Standing.KNOWN if is_own or is_old_optimizer(name) else Standing.FOREIGN
    home = _in_keras(module)
    if home is None:
        is_users = is_registered(registered) and not _is_installed(module)
        return Standing.FOREIGN if is_users else Standing.UNSAFE
    if name in _table()["classes"].get(home, ()) or (_area(home) in _AREAS and name in _names("classes")):
        return Standing.KNOWN
    is_public = home in _table()["classes"] and _area(home) in _AREAS and not home.startswith("keras.src.")
    of_later_version = is_public and name.isidentifier() and name[0].isupper()
    return Standing.FOREIGN if of_later_version else Standing.UNSAFE


def is_registered(name: Any) -> bool:
    """Whether a name is that of an object which a user registered with Keras."""
    return isinstance(name, str) and ">" in name


def is_old_optimizer(name: str) -> bool:
    """Whether a name such as `Custom>Adam` is that of Keras's own optimizer, which Keras 2.11 to 2.15 registered as if
    a user had (keras/optimizers/optimizer.py, 2.12)."""
    return name.startswith("Custom>") and name.removeprefix("Custom>") in _table()["classes"]["keras.optimizers"]


def function_standing(module: str | None, name: str) -> Standing:
    """The standing of a function that a config refers to. A class that is named as a function is unsafe: Keras would
    call it and skip the checks of its `from_config`. So is a function of any other package: Keras 2.12 and later write
    the user's functions with the module `builtins` (`serialize_keras_object`, 3.15), and Keras before 3.9 imports
    whatever module is named."""
    if not module or module == "__main__":
        return Standing.KNOWN if name in _short_functions() else Standing.FOREIGN
    if module == "builtins":
        return _of_builtins(name)
    home = _in_keras(module)
    return Standing.KNOWN if home is not None and _is_function(home, name) else Standing.UNSAFE


def spec_standing(module: str | None, name: str) -> Standing:
    """The standing of a type specification, which TensorFlow has for tensors of all kinds."""
    is_spec = re.fullmatch(r"[A-Za-z]*Spec", name) and _SPECIFICATIONS.fullmatch(module or "")
    return Standing.KNOWN if is_spec else Standing.UNSAFE


def _is_function(home: str, name: str) -> bool:
    area = _area(home)
    if area == "applications":
        return name == "preprocess_input"
    if area == "backend":  # of Keras 2; its functions moved to keras.ops
        return name in _table()["older"]["backend"]
    if name in _table()["functions"].get(home, ()):
        return True
    return area in ("activations", "losses", "metrics") and name in _short_functions()


def _of_builtins(name: str) -> Standing:
    """The standing of a function whose module is written as `builtins`. Keras writes that for its own functions, for
    those of keras.ops, such as `abs` and `sum`, though it does not find them again, and until 3.6 for the user's
    too."""
    if name in _short_functions():
        return Standing.KNOWN
    is_pythons = hasattr(builtins, name.partition(".")[0]) and name not in _table()["functions"]["keras.ops"]
    return Standing.UNSAFE if is_pythons else Standing.FOREIGN


def _in_keras(module: str) -> str | None:
    """The module as Keras 3 would name it, or None where it belongs to another package."""
    match = _KERAS.match(module) if len(module) < _LONGEST else None
    if match is None:
        return None
    home = f"keras{module[match.end() :]}"
    return _MOVED.get(home.replace("keras.src.", "keras."), home)


def _area(home: str) -> str:
    """The part of Keras that a module belongs to: `layers` for keras.src.layers.core.dense."""
    parts = [part for part in home.split(".")[1:] if part not in ("src", "_impl")]
    return parts[0] if parts else ""


def _is_installed(module: str) -> bool:
    """Whether a module belongs to Python or to a library that is often installed."""
    package = module.partition(".")[0]
    return package in sys.stdlib_module_names or package in _INSTALLED
