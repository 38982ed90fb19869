"""
An acceptor or a proposer, by its name.

    client -> proposer-1, proposer-2 -> (links) -> acceptor-1 .. acceptor-3
              ^^^^^^^^^^ which call each other, too   ^^^^^^^^ keep promises and votes in DATA_DIR

PUT /log/{id}     at a proposer: 200 {"slot": 7} once the command is chosen; 504: indeterminate
GET /chosen       at a proposer: what it has learned, by slot
GET /votes        at an acceptor: what it has accepted last, by slot

Between services, as MessagePack: POST /paxos/acceptor, POST /paxos/proposer, POST /paxos/command.
"""

from __future__ import annotations

from targets.kit import serve
from targets.paxos.server import build
from targets.paxos.settings import PaxosSettings

if __name__ == "__main__":
    serve("paxos", PaxosSettings, build)
