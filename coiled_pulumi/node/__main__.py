"""`python -m coiled_pulumi.node`: the agent, as systemd starts it."""

from __future__ import annotations

import sys

from coiled_pulumi.node import agent

if __name__ == "__main__":
    sys.exit(agent.main())
