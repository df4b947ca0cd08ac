"""Paths of names, such as `encoder/lstm/kernel`: layers, weights and objects have them, in a model and in a file."""


def join_path(*names: str) -> str:
    """Names as one path; empty ones, such as that of the outermost model, are left out."""
    return "/".join(filter(None, names))
