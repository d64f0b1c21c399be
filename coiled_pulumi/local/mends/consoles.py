"""GetConsoleOutput gives what the machine wrote.

moto answers with the boot of some machine of 2006. AWS gives the last 64 KiB of the instance's own console, and nothing
where nothing was written yet.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html
"""

from __future__ import annotations

from typing import Any

from coiled_pulumi.local.machines import MACHINES


def apply() -> None:
    """Read the console of the host."""
    from moto.ec2.responses.general import General

    def get_console_output(self: Any) -> Any:
        from moto.core.responses import ActionResult
        from moto.core.utils import utcnow
        from moto.ec2.utils import Base64EncodedString

        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        text = MACHINES.console(instance.id)
        output = {"Output": Base64EncodedString.from_raw_string(text)} if text else {}
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow()} | output)

    General.get_console_output = get_console_output
