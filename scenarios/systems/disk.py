"""What shows a disk of the lab's own, whichever system's data it is under."""

from lab import Panel

unsynced = Panel("Bytes that a power loss would take", "disk_dirty_bytes", unit="bytes", legend="{{service}}")
