"""Paths of names, such as `encoder/lstm/kernel`: layers, weights and objects have them, in a model and in a file."""

import posixpath


def join_path(*names: str) -> str:
    """Names as one path; empty ones, such as that of the outermost model, are left out."""
    return "/".join(filter(None, names))


def path_from(path: str, relative: str) -> str:
    """The path of a thing that another one, at `path`, refers to by steps up (`..`) and down; empty for the
    outermost."""
    path = posixpath.normpath(f"{path or '.'}/{relative}")
    return "" if path == "." else path
