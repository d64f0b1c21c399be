"""The end of the interpreter closes what nobody closed, in its main thread and with a limit."""

import os
import subprocess
import sys
import textwrap

PROGRAM = """
    import sys
    from coiled_pulumi.cluster import closing
    from coiled_pulumi.errors import DeploymentError
    from coiled_pulumi.ops import stopping

    class Made:
        process = {process}
        lives_on = {lives_on}
        def __init__(self, name):
            self.name = name
            closing.remember(self)
        def delete(self):
            import threading
            assert threading.current_thread() is threading.main_thread()
            assert stopping.current().asked == 0
            print("deleted", self.name, flush=True)
            {fails}

    kept = Made("mine")
    other = Made("other")
    closing.forget(other)
"""


def _run(**said):
    text = textwrap.dedent(PROGRAM).format(
        **{"process": "__import__('os').getpid()", "lives_on": "False", "fails": ""} | said
    )
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=os.environ, timeout=60
    )


def test_what_is_open_is_deleted():
    done = _run()
    assert (done.returncode, done.stdout) == (0, "deleted mine\n")
    assert done.stderr == "deleting cluster mine; Ctrl-C leaves it to its own timers\n"


def test_what_cannot_be_deleted_is_told():
    done = _run(fails='raise DeploymentError("AWS refused", "a hint")')
    assert "cluster mine is not deleted: AWS refused\nhint: coiled-pulumi cluster stop mine" in done.stderr


def test_what_lives_on_or_is_another_process_s_is_left_alone():
    assert _run(lives_on="True").stdout == ""
    assert _run(process="-1").stdout == ""
