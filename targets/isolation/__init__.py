"""
Transactions at one isolation level of one server: the anomalies of the literature as scripts, and work under load.

    scripts.py   the ten anomalies, step by step, as data
    player.py    plays a script: who waits is what the server's own lock view says
    databases.py sessions of PostgreSQL and of MariaDB behind one protocol
    work.py      deposits, transfers, audits and a rota: where the same anomalies cost something
    server.py    the routes
"""
