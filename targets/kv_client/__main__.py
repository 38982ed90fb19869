"""
A client of a replicated map: of our own Raft or of etcd, whichever its links lead to.

    client -> kv_client -> (link) -> raft-1 .. raft-3 or etcd-1 .. etcd-3, one after the other
              ^^^^^^^^^ here

GET /kv/{key}             200 {"value": "..."}, null where the key is absent
PUT /kv/{key}             {"value": "..."}
POST /kv/{key}/cas        {"expect": "..." or null, "value": "..."}: 200 {"swapped": true or false}

503: nothing was done. 504: nobody knows. It asks again until KV_TIMEOUT_S is over, and each write is applied once.
"""

from __future__ import annotations

from targets.kit import serve
from targets.kv_client.server import build
from targets.kv_client.settings import KvClientSettings

if __name__ == "__main__":
    serve("kv_client", KvClientSettings, build)
