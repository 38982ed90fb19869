"""`python -m lab.proxy`: the fault proxy as a process, with toxiproxy-server's flags."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop
from aiohttp import web

from lab.kit.limits import raise_open_files
from lab.proxy import bodies
from lab.proxy.addresses import Address, AddressError, listen
from lab.proxy.api import VERSION, application
from lab.proxy.metrics import Metrics
from lab.proxy.proxies import Proxies
from lab.proxy.relay import Wiring, log
from lab.proxy.timers import start_timers

MOST_FILES = 1 << 20  # two for each connection
_LEVELS = {
    "trace": logging.DEBUG, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING,
    "error": logging.ERROR, "fatal": logging.CRITICAL, "panic": logging.CRITICAL, "disabled": logging.CRITICAL + 1,
}  # fmt: skip


def arguments(argv: list[str]) -> argparse.Namespace:
    """Go's flags: one dash or two, `-port 1` or `-port=1`."""
    parser = argparse.ArgumentParser(prog="python -m lab.proxy", description=__doc__, allow_abbrev=False)
    parser.add_argument("-host", "--host", default="localhost", help="host for the API to listen on")
    parser.add_argument("-port", "--port", type=int, default=8474, help="port for the API; 0 takes a free one")
    parser.add_argument("-config", "--config", type=Path, help="JSON file of proxies to create, as for POST /populate")
    parser.add_argument("-seed", "--seed", type=int, default=time.time_ns(), help="seed of all jitter and toxicity")
    for name, text in (
        ("proxy-metrics", "bytes per proxy at /metrics"),
        ("runtime-metrics", "this process at /metrics"),
    ):
        parser.add_argument(f"-{name}", f"--{name}", type=_truth, nargs="?", const=True, default=False, help=text)
    parser.add_argument("-version", "--version", action="version", version=f"lab.proxy version {VERSION}")
    return parser.parse_args(argv)


def _truth(text: str) -> bool:
    """A boolean as Go's flags take it: `-proxy-metrics=true`."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT, then close everything. Raises AddressError if the port cannot be had."""
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    metrics = Metrics(of_proxies=options.proxy_metrics, of_runtime=options.runtime_metrics)
    timers, stop_timers = start_timers(loop)
    proxies = Proxies(Wiring(timers, metrics.counter, options.seed))
    app = application(proxies, metrics, options.host)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    try:
        if options.config is not None:
            await populate(proxies, options.config, options.config.read_bytes)
        sock, address = await listen(str(Address(options.host, options.port)))
        await runner.setup()
        await web.SockSite(runner, sock).start()
        gc.collect()
        gc.freeze()  # what the start has made stays: later collections, which stop all traffic, need not look at it
        log.info("lab.proxy %s listens on %s", VERSION, address)
        await asked_to_stop.wait()
        log.info("stopping")
    finally:
        proxies.stop()
        await runner.cleanup()
        stop_timers()


async def populate(proxies: Proxies, config: Path, read: Callable[[], bytes]) -> None:
    """Create the proxies of a configuration file; like Toxiproxy, say what is wrong with it and carry on."""
    try:
        done, error = await proxies.populate(bodies.new_proxies(read()))
    except (OSError, bodies.ApiError) as wrong:
        done, error = [], str(wrong)
    if error:
        log.error("%s: %s", config, error)
    log.info("%s: %d proxies", config, len(done))


def main(argv: list[str]) -> int:
    """Run the server; returns the exit code."""
    level = _LEVELS.get(os.environ.get("LOG_LEVEL", "info").lower(), logging.INFO)
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    options = arguments(argv)
    raise_open_files(MOST_FILES)
    try:
        uvloop.run(serve(options))
    except AddressError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
