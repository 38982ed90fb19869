"""
One server of the cluster, or with a name that is not in RAFT_PEERS a client of it.

    client -> raft-1 .. raft-5, any of them -> (link) -> the leader -> (links) -> the others
              ^^^^^^ here; entries are kept in DATA_DIR

GET /kv/{key}             200 {"value": "..."}, null where the key is absent
PUT /kv/{key}             {"value": "..."}
POST /kv/{key}/cas        {"expect": "..." or null, "value": "..."}: 200 {"swapped": true or false, "value": "..."}
POST /sessions            201 {"session": 7}: writes with the headers Session and Sequence are applied once
GET /status, /log         role, term, leader, indices; the committed entries, for checkers

503: nothing was done. 504: nobody knows.
"""

from __future__ import annotations

from targets.kit import serve
from targets.raft.server import build
from targets.raft.settings import RaftSettings

if __name__ == "__main__":
    serve("raft", RaftSettings, build)
