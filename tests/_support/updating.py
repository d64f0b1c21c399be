"""Snapshots: compared as a rule, rewritten on demand.

`COILED_PULUMI_UPDATE_SNAPSHOTS=1 pytest tests` rewrites every snapshot and the expected lines of
`tests/cases`.
Read the difference before committing it: a changed name or key replaces resources of people who upgrade.
"""

import os
from pathlib import Path

UPDATE = bool(os.environ.get("COILED_PULUMI_UPDATE_SNAPSHOTS"))
ROOT = Path(__file__).parents[2]
SNAPSHOTS = ROOT / "tests" / "snapshots"


def check_snapshot(path: Path, text: str) -> None:
    """Compare text with a stored file, or store it."""
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.is_file(), f"no {path.relative_to(ROOT)}; COILED_PULUMI_UPDATE_SNAPSHOTS=1 writes it"
    assert text == path.read_text()
