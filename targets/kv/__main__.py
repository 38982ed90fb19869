"""
One node of the store: a replica, and the coordinator of what its clients ask.

    client -> kv-1 .. kv-9, any of them -> (links) -> the others
              ^^^^ here; versions are kept in DATA_DIR

GET /kv/{key}               200 {"value": "..."}, null where the key is absent
PUT /kv/{key}               {"value": "..."}
GET, PUT /replica/{key}     what nodes ask one another; GET /replica: all that this one holds

PUT, DELETE /sets/{key}/{element}, GET /sets/{key}, POST /counters/{key} {"by": 1}     in modes last-writer-wins, crdt
GET /kv                     in all modes but quorum: all that this node holds, for checkers

503: nothing was done. 504: too few replicas have acknowledged the write, so it may be read later or never.

Barrier: `between-replicas` (this node's replica has a write, the others do not yet).
"""

from __future__ import annotations

from targets.kit import serve
from targets.kv.server import build
from targets.kv.settings import KvSettings

if __name__ == "__main__":
    serve("kv", KvSettings, build)
