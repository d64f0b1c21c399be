"""The local AWS server's process: moto behind a signature check and a call log, on loopback.

Started by `daemon.up` as `python -m coiled_pulumi.local.server`; not meant to be called by hand.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import string
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coiled_pulumi.local import process, state

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

    from coiled_pulumi.local.gate import Gate

_KEY_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class Options:
    """What `daemon.up` passes."""

    home: Path
    port: int
    ready: int
    """The pipe's end to write the one line of news to."""
    hosts: int
    """How many instances really run, at most."""


def main() -> None:
    """Serve until SIGTERM or SIGINT; report over the pipe when requests are answered."""
    options = _options()
    _detach()
    # Ours and moto's warnings would only fill the log.
    warnings.simplefilter("ignore")
    access_key_id = "AKIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))
    secret = secrets.token_urlsafe(30)
    try:
        app, server = _serve(options, access_key_id, secret)
    except OSError as err:
        _report(
            options,
            {
                "error": f"port {options.port} of 127.0.0.1 can't be had: {err.strerror}",
                "hint": "coiled-pulumi local up --port 0",
            },
        )
        raise
    stopped = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stopped.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    _start_acting(options, app, server.port)
    state.save(options.home, _record(options, server.port, access_key_id, secret))
    _report(options, {"ready": True})
    stopped.wait()
    _stop_acting()
    server.shutdown()
    server.server_close()


def _options() -> Options:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--hosts", type=int, default=0)
    return Options(**vars(parser.parse_args()))


def _detach() -> None:
    """Leave session and parent: closing the terminal or waiting for children doesn't matter then."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)


def _serve(options: Options, access_key_id: str, secret: str) -> tuple[Gate, BaseWSGIServer]:
    # moto reads its settings when it is imported.
    os.environ.update(_SETTINGS)
    from coiled_pulumi.local import gate, mends

    app = gate.Gate(access_key_id, secret, state.calls_file(options.home))
    mends.apply()
    return app, gate.listen(app, options.port)


def _start_acting(options: Options, app: Gate, port: int) -> None:
    """Start what changes something without being called: machines that end, and times that come."""
    from coiled_pulumi.local import lifecycle
    from coiled_pulumi.local.machines import MACHINES
    from coiled_pulumi.local.timers import TIMERS

    MACHINES.start(
        home=options.home,
        port=port,
        limit=options.hosts,
        turn=app.turn,
        powered_off=lifecycle.powered_off,
    )
    threading.Thread(target=TIMERS.run, args=(app.turn, MACHINES.changed), daemon=True).start()


def _stop_acting() -> None:
    from coiled_pulumi.local.machines import MACHINES

    MACHINES.stop()


#: What AWS checks or has, and moto only when told.
_SETTINGS = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}


def _record(options: Options, port: int, access_key_id: str, secret: str) -> state.Record:
    from importlib.metadata import version

    return state.Record(
        pid=os.getpid(),
        process_start=process.start_of(os.getpid()),
        port=port,
        access_key_id=access_key_id,
        secret_access_key=secret,
        started_at=time.time(),
        version=version("coiled-pulumi"),
        hosts=options.hosts,
    )


def _report(options: Options, news: dict[str, Any]) -> None:
    with os.fdopen(options.ready, "w", encoding="utf-8") as pipe:
        json.dump(news, pipe)
        pipe.write("\n")


if __name__ == "__main__":
    sys.exit(main())
