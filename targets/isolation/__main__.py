"""
Isolation: transactions at one level of one server, as scripts that show an anomaly and as work that suffers from it.

    client -> isolation -> (link) -> postgres, or mariadb
              ^^^^^^^^^ here, at the level that LEVEL says

POST /anomalies    {"anomaly": "G1a"}: 200, whether the level prevents it (yes, no, or read-only) and the transcript
POST /deposits     {"account": 1, "cents": 500}: 201 and the balance as it was read and as it was written
POST /transfers    {"cents": 500}: 201, moved from one of a pair of accounts to the other
POST /audits       200 and the total of the pair
POST /leaves       {"shift": 7, "doctor": 1}: 200 {"granted": true}, where another doctor is on call
GET /books         cents by account, and the number on call of each shift that somebody left, for checkers

503: the server refused every attempt, and nothing was done.
"""

from __future__ import annotations

from targets.isolation.server import build
from targets.isolation.settings import IsolationSettings
from targets.kit import serve

if __name__ == "__main__":
    serve("isolation", IsolationSettings, build)
