"""Opens what a run stands on: its runtime, the Prometheus beside that, and the Grafana in which it draws."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from lab.errors import LabError
from lab.kit.places import DASHBOARDS, HOME, ROOT
from lab.observe import local_grafana, which_grafana
from lab.observe.annotations import Grafana
from lab.observe.grafana import Place
from lab.observe.marks import PATIENCE_S, RunAnnotations, in_time
from lab.observe.panels import Watched
from lab.observe.prometheus import Prometheus, Watch
from lab.observe.shared_prometheus import SharedPrometheus
from lab.run.choice import Choice
from lab.runtime.base import Runtime
from lab.runtime.compose import names
from lab.runtime.compose.runtime import ComposeRuntime
from lab.runtime.compose.swarm import SwarmRuntime
from lab.runtime.local import LocalRuntime
from lab.runtime.supervisor import Supervisor
from lab.runtime.tools import Tools


async def open_runtime(choice: Choice, supervisor: Supervisor, stack: AsyncExitStack) -> Runtime:
    """The runtime, to be closed with `stack`."""
    runtime: Runtime
    if choice.found is None:
        runtime = LocalRuntime(supervisor, Tools(HOME))
    else:
        kind = SwarmRuntime if choice.name == "swarm" else ComposeRuntime
        runtime = await kind.open(supervisor, choice.found)
    stack.push_async_callback(runtime.close)
    return runtime


async def open_prometheus(
    runtime: Runtime, supervisor: Supervisor, logs: Path, watch: Watch, stack: AsyncExitStack
) -> Watched:
    """The Prometheus beside the runtime's services, to be stopped with `stack`: one of the run's own, or the shared."""
    prometheus: Watched
    shared = runtime.shared if isinstance(runtime, ComposeRuntime) else None
    if shared and shared.prometheus and shared.targets:
        place = partial(_in_network, watch.labels["run"])
        prometheus = SharedPrometheus(shared.prometheus, shared.targets, watch, place)
    else:
        assert isinstance(runtime, LocalRuntime | ComposeRuntime)
        program = runtime.tools.need("prometheus")["prometheus"]  # its own, so that its versions name this one too
        prometheus = await Prometheus.start(supervisor.spawn, program, supervisor.scratch / "prometheus", logs, watch)
    stack.push_async_callback(prometheus.stop)
    return prometheus


async def open_marks(
    prometheus: Watched,
    supervisor: Supervisor,
    logs: Path,
    scenario: str,
    tell: Callable[[str], None],
) -> RunAnnotations:
    """What the run draws in Grafana, if there is one; `tell` takes a sentence about one that cannot be used."""
    grafana, version = None, ""
    try:
        if place := await _grafana(prometheus, supervisor, logs):
            found = Grafana(place)
            version = await in_time(found.version, PATIENCE_S)
            grafana = found
    except TimeoutError:
        tell("Grafana takes too long to answer; the run goes on without it")
    except LabError as error:
        tell(f"{str(error).splitlines()[0].rstrip(':')}; the run goes on without it")
    marks = RunAnnotations(grafana, scenario, supervisor.run_id, supervisor.journal, tell)
    marks.version = version
    return marks


async def _grafana(prometheus: Watched, supervisor: Supervisor, logs: Path) -> Place | None:
    """Which one; see lab.observe.which_grafana. That of `make up` knows what the shared Prometheus knows."""
    said = which_grafana.named(ROOT)
    if said.place or not said.wanted:
        return said.place
    if isinstance(prometheus, SharedPrometheus):
        return await which_grafana.of_compose(ROOT)
    if program := which_grafana.on_path():
        workdir, log = supervisor.scratch / "grafana", logs / "grafana.log"
        return await local_grafana.start(supervisor.spawn, program, workdir, log, DASHBOARDS, prometheus.address)
    return None


def _in_network(run: str, trial: int, variant: str, service: str) -> str:
    return f"{names.host(run, f'{trial}-{variant}', service)}:{names.TARGET_PORT}"
