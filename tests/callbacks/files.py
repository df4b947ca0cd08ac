"""The names of files in a directory."""

from pathlib import Path

MANIFEST = "checkpoints.json"


def names(directory: Path) -> list[str]:
    """All but the manifest; hidden files, which nothing may leave behind, and directories, with a slash, too."""
    paths = (path for path in directory.rglob("*") if path.name != MANIFEST)
    return sorted(path.relative_to(directory).as_posix() + "/" * path.is_dir() for path in paths)
