"""
A filesystem that forgets what was not synced, fills up, gets slow and fails: the disk under a server of an experiment.

It is a process of its own (`python -m lab.disk`) that mounts a folder by FUSE and passes everything through to a folder
beside it. Meanwhile it keeps what must be undone if the power goes: of each file the old pages and length since its
last fsync, of each folder the old names. What a power loss leaves is thus what the server was promised, and no more.

    server -> kernel -> (FUSE) -> filesystem.py -> store.py -> pages.py, names.py -> files beside the mount
    runtime, faults -> (HTTP) -> control.py -> store.py, trouble.py

What syncs what: docs/disk.md. Nothing of it outlives a run, so the files beside the mount are never synced themselves.
"""

CANARY = ".canary"  # a file that the lab itself syncs, to see how long that takes; it is not counted
