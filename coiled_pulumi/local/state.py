"""Where the local AWS keeps its things, and the record of the server that runs.

Everything is in one folder that only its owner may read:

    state.json    the record: process, port and the credentials made for this run
    backend/      Pulumi's own state, so that it goes away together with what it describes
    calls.jsonl   one line per API call
    server.log    what the server printed
    hosts/        a folder for each instance that really runs
    lock          held while somebody starts or stops the server
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "COILED_PULUMI_LOCAL_HOME"
#: Of Pulumi's state on the local AWS. Not a secret, and always the same: the state is in a folder that only its
#: owner may read and is thrown away with the server, while bare Pulumi writes a salt that belongs to the passphrase
#: into the user's stack files, where it stays.
PASSPHRASE: Final = "local-aws"  # noqa: S105 not a secret


@dataclass(frozen=True, slots=True)
class Record:
    """One running server, as its own process wrote it down."""

    pid: int
    process_start: str
    """When the process started, as the kernel tells it: a pid may come to mean another process."""
    port: int
    access_key_id: str
    secret_access_key: str
    started_at: float
    """Seconds since the epoch."""
    version: str
    """Of coiled-pulumi, when the server was started."""
    home: Path = Path()
    """The folder that the record was read from; not written, so that a folder can be moved."""
    hosts: int = 0
    """How many instances really run, at most."""

    def __repr__(self) -> str:
        """Leave the secrets out: records end up in tracebacks."""
        return f"Record(pid={self.pid}, port={self.port}, home={str(self.home)!r})"


def default_home(env: Mapping[str, str] | None = None) -> Path:
    """Tell the folder to use: the variable, else below the user's state folder."""
    env = os.environ if env is None else env
    if named := env.get(HOME_VARIABLE):
        return Path(named).expanduser().absolute()
    base = env.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser().absolute() / "coiled-pulumi" / "local"


def state_file(home: Path) -> Path:
    """Tell where the record is."""
    return home / "state.json"


def backend_folder(home: Path) -> Path:
    """Tell where Pulumi keeps its state."""
    return home / "backend"


def calls_file(home: Path) -> Path:
    """Tell where the log of API calls is."""
    return home / "calls.jsonl"


def log_file(home: Path) -> Path:
    """Tell where the server's own output goes."""
    return home / "server.log"


def hosts_folder(home: Path) -> Path:
    """Tell where the instances that really run have their folders."""
    return home / "hosts"


def lock_file(home: Path) -> Path:
    """Tell which file is locked while the server is started or stopped."""
    return home / "lock"


def prepare(home: Path) -> None:
    """Make the folder and the one for Pulumi's state, readable by their owner only."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    backend_folder(home).mkdir(mode=0o700, exist_ok=True)


def load(home: Path) -> Record | None:
    """Read the record; None where there is none or it is not one of ours."""
    try:
        fields = json.loads(state_file(home).read_text(encoding="utf-8"))
        return replace(Record(**fields), home=home)
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None


def save(home: Path, record: Record) -> None:
    """Write the record at once or not at all; it holds credentials, so only its owner may read it."""
    fields = asdict(record)
    del fields["home"]
    # mkstemp makes the file with mode 0600 from the start; a chmod afterwards would leave a gap.
    handle, name = tempfile.mkstemp(dir=home, prefix=".state-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1, sort_keys=True)
        Path(name).replace(state_file(home))
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
