"""A test of many small cases as one test: pytest needs longer for a test than many a case takes."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

SHOWN = 20


def for_each(cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test on each case, which is its first argument, and fails with those that are wrong. Further arguments are
    fixtures, the same for all cases."""

    def looping(test: Callable[..., None]) -> Callable[..., None]:
        _, *fixtures = inspect.signature(test).parameters.values()

        @functools.wraps(test)
        def run(**values: Any) -> None:
            count, wrong = 0, list[str]()
            for case in cases:
                count += 1
                try:
                    test(case, **values)
                except (Exception, AssertionError) as error:
                    wrong.append(f"{case}: {error if isinstance(error, AssertionError) else repr(error)}")
            assert count, "there is no case"
            assert not wrong, "\n".join([f"{len(wrong)} of {count} cases are wrong", *wrong[:SHOWN]])

        run.__signature__ = inspect.Signature(fixtures)  # type: ignore[attr-defined]  # pytest reads it for fixtures
        return run

    return looping
