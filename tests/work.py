"""The work that a test's subject does, counted: a busy machine makes it slower, but no more."""

from cProfile import Profile


class Calls:
    """Counts the calls of functions in a `with` block, those of C included."""

    def __enter__(self) -> "Calls":
        self._profile = Profile(subcalls=False)  # which counts in C
        self._profile.enable()
        return self

    def __exit__(self, *_: object) -> None:
        self._profile.disable()

    @property
    def count(self) -> int:
        """The calls so far."""
        return sum(entry.callcount for entry in self._profile.getstats())
