"""Every metric says what it measures, and the page says the same."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from lab import metrics
from lab.metrics.definition import define

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "metrics.md"


def test_the_page_is_current() -> None:
    """docs/metrics.md is what `make metrics` writes."""
    assert PAGE.read_text("utf-8") == metrics.page(), "run `make metrics`"


@pytest.mark.parametrize("name", metrics.names())
def test_each_metric_is_defined(name: str) -> None:
    """From when to when, whose, what is censored, the minimum sample, the unit, the arguments."""
    found = metrics.definition(name)
    assert found is not None
    assert all((found.what, found.window, found.whose, found.censored, found.minimum))
    assert found.short.endswith((".", ":"))
    assert found.arguments.startswith("(")


def test_arguments_are_written_as_python_has_them() -> None:
    """Defaults in quotes, annotations without."""
    found = metrics.definition("p90_ms")
    assert found is not None
    assert found.arguments == "(operation: str | None = None, *, of: Whose)"
    assert metrics.definition("p75_ms") is None


def test_a_metric_that_does_not_say_is_refused() -> None:
    """A docstring without a field that its module leaves out too names the field."""

    def silent_ms() -> None:
        """Wait.

        Window: now.
        """

    silent_ms.__module__ = ModuleType.__module__  # whose docstring has none of the fields
    with pytest.raises(ValueError, match=r"silent_ms: .* say nothing of Whose, Censored, Minimum; write a line `Whose"):
        define(silent_ms, "ms", "()")
