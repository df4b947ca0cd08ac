"""`python -m ckpttool` is the command `ckpttool`: a process of its own, set up for a short run."""

import atexit
import gc

_YOUNG_OBJECTS = 50_000  # between two searches for cycles; Python's own number is 700


def main() -> None:
    """Run the command line.

    Modules, classes and functions stay until the end. Searching them for cycles again and again while they are made,
    and once more when Python ends, would take a sixth of the time that a listing of a small checkpoint does.
    """
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(gc.freeze)
    from ckpttool.cli import main as command  # here, since most of what it imports is there to stay

    command(prog_name="ckpttool")


if __name__ == "__main__":
    main()
