"""
How py-spy is run at a service in a container: beside it, in its process namespace, with SYS_PTRACE and nothing else.

The container is what docker-compose.yml says of the service `profiler`. Its output is the profile; what py-spy has to
say goes to the log. `docker run` passes on the SIGINT that ends it, and lives as long as it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab.runtime.base import Spy
from lab.runtime.compose.endpoint import environment

# A shell that is waiting takes a signal at once, and py-spy gets it from there; then what it has written is shown.
RECORD = """
py-spy record "$@" --output /tmp/profile --pid 1 >&2 &
trap 'kill -INT $!' INT TERM
wait; wait
cat /tmp/profile
"""


def beside(container: str, profiler: Mapping[str, Any], labels: Mapping[str, str]) -> Spy:
    """py-spy in a container beside this one; `profiler` is its service in docker-compose.yml, resolved."""
    return Spy("1", partial(_argv, container, profiler, labels), environment())


def _argv(
    container: str, profiler: Mapping[str, Any], labels: Mapping[str, str], options: Sequence[str], output: Path
) -> Sequence[str | Path]:
    limits = profiler["deploy"]["resources"]["limits"]
    run = ["docker", "run", "--rm", "--pull", "never", "--network", "none", "--pid", f"container:{container}"]
    run += ["--read-only", "--cpus", str(limits["cpus"]), "--memory", str(limits["memory"])]
    run += ["--pids-limit", str(limits["pids"])]
    run += [word for name in profiler["cap_drop"] for word in ("--cap-drop", name)]
    run += [word for name in profiler["cap_add"] for word in ("--cap-add", name)]
    run += [word for name in profiler["security_opt"] for word in ("--security-opt", name)]
    run += [word for name in profiler["tmpfs"] for word in ("--tmpfs", name)]
    run += [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
    run += [profiler["image"], "sh", "-c", RECORD, "py-spy", *options]
    return ["sh", "-c", 'exec "$@" >"$0"', output, *run]
