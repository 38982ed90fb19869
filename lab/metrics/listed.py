"""What a readback lists, by the operations that brought it about."""

from __future__ import annotations

from lab.metrics.declare import metric
from lab.metrics.measured import Measured, too_few
from lab.metrics.window import Window


@metric("")
def keys_listed(window: Window, readback: str, at: str, operation: str | None = None) -> Measured:
    """Keys of operations due in the phase that a readback lists under `at`, such as transfers that are half done.

    The readback has a list of keys, or an object with the keys as names; a key counts once, in the
    phase that its first operation was due in.

    Window: operations due in the phase as planned; the readback shows the state after the load.
    Whose: operations with a key, of one kind or of all, whatever their outcome.
    Censored: never.
    Minimum: 20 such keys.
    """
    found = _listed(window, readback, at, operation)
    return found if isinstance(found, Measured) else Measured(float(found[0]), n=found[1])


@metric("")
def listed_ratio(window: Window, readback: str, at: str, operation: str | None = None) -> Measured:
    """Share of the keys of operations due in the phase that a readback lists under `at`, such as adds that are kept.

    As `keys_listed`, divided by the number of keys that were due, so it does not depend on the length of the phase.

    Window: operations due in the phase as planned; the readback shows the state after the load.
    Whose: operations with a key, of one kind or of all, whatever their outcome.
    Censored: never.
    Minimum: 20 such keys.
    """
    found = _listed(window, readback, at, operation)
    return found if isinstance(found, Measured) else Measured(found[0] / found[1], n=found[1])


def _listed(window: Window, readback: str, at: str, operation: str | None) -> tuple[int, int] | Measured:
    """Keys that are listed, and all that were due; or why there is no number."""
    answer = window.readback(readback)
    listed = answer.get(at) if isinstance(answer, dict) else None
    if not isinstance(listed, list | dict):
        return Measured(None, why=f'the readback "{readback}" gave no list or object "{at}"')
    operations = window.all_operations
    first: dict[str, str] = {}
    for key, kind, phase in zip(operations.key, operations.operation, operations.phase, strict=True):
        if key is not None and operation in (None, kind):
            first.setdefault(str(key), str(phase))
    due = [key for key, phase in first.items() if phase == window.phase.name]
    there = {str(key) for key in listed}
    few = too_few(len(due), "keys were due", window.text)
    return few or (sum(key in there for key in due), len(due))
