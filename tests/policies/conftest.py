"""The pack is no installed package: Pulumi runs it from its folder, and so do its tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "policies"))
