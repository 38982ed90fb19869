"""What a load master and its workers say to each other, as custom messages over Locust's own connections.

to a worker    ask time, take requests, set up (when it has all of them), go
to the master  here (until it is answered), time, took (requests), is set (may have users), up (has them all),
               report (rows and a beat), done
"""

from __future__ import annotations

PROTOCOL = 2  # goes up when a worker of an older lab would misunderstand
ASK_TIME, REQUESTS, SET_UP, GO = "lab_ask_time", "lab_requests", "lab_set_up", "lab_go"
HERE, TIME, TOOK, IS_SET, UP = "lab_here", "lab_time", "lab_took", "lab_is_set", "lab_up"
REPORT, DONE = "lab_report", "lab_done"
ENTRY_ABOVE = 1  # workers of other machines find what they load at the master's port plus this
ENTRY_VARIABLE = "LAB_LOAD_ENTRY"
