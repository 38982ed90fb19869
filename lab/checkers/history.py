"""What a checker reads and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.record import Anomaly, Operations, Verdict


@dataclass(frozen=True)
class History:
    """All operations of one variant in one trial, and what the services answered afterwards, by readback name."""

    operations: Operations
    readbacks: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def of(self, operation: str) -> Operations:
        """Those of one kind; all where it is empty."""
        operations = self.operations
        return operations.where(operations.being("operation", operation)) if operation else operations


@dataclass(frozen=True)
class Finding:
    """A checker's answer: verdict, one sentence, how many things were looked at, and what shows a violation."""

    verdict: Verdict
    why: str
    checked: int = 0
    anomalies: tuple[Anomaly, ...] = ()
