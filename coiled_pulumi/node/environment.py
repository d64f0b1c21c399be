"""The Python that Dask runs in: the image's own, one with other packages that is made here, or a container's."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from coiled_pulumi import errors
from coiled_pulumi.node import BESIDE
from coiled_pulumi.node.paths import RUN, Paths, write_private

#: Name of the container, so that one that an agent left behind is found.
CONTAINER: Final = "coiled-pulumi"
#: Seconds that installing may take, large packages over a slow network included.
_PATIENCE: Final = 1800
#: Last lines of an installer that say why it failed.
_TAIL: Final = 30
#: In the asked interpreter: are these requirements fulfilled? Extras count, addresses never do.
_CHECK: Final = """
import json, sys
from importlib.metadata import PackageNotFoundError, distribution
from packaging.requirements import Requirement

def holds(one, extra=""):
    if one.marker and not one.marker.evaluate({"extra": extra}):
        return True
    if one.url:
        return False
    try:
        found = distribution(one.name)
    except PackageNotFoundError:
        return False
    needs = [Requirement(text) for text in found.requires or () if "extra" in text]
    return one.specifier.contains(found.version, prereleases=True) and all(
        holds(need, wanted) for wanted in one.extras for need in needs
        if need.marker and need.marker.evaluate({"extra": wanted})
    )

sys.exit(not all(holds(Requirement(text)) for text in json.load(sys.stdin)))
"""


class InstallError(errors.CoiledPulumiError):
    """The environment could not be made.

    Attributes:
        detail: the last lines of what was run.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what)
        self.args = (what, detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a module of ours.

    Attributes:
        command: what comes before `-m MODULE`.
        environ: variables of ours, over the image's.
        container: the container image, where it runs in one: variables have to be handed on by name.
    """

    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    container: str = ""

    def argv(self, module: str, names: Sequence[str]) -> list[str]:
        """Make the arguments, in which no value of a variable stands.

        Args:
            module: which to run.
            names: the variables of the process that are not the image's own.
        """
        if not self.container:
            return [*self.command, "-m", module]
        handed = [part for name in names for part in ("-e", name)]
        return [*self.command, *handed, self.container, "python", "-m", module]


def prepare(asked: Mapping[str, Any], paths: Paths, *, gpu: bool, tell: Callable[[str], None]) -> Launch:
    """Make ready what the configuration asks for.

    Args:
        asked: `container`, or `packages` and `python`.
        paths: the folders of this machine.
        gpu: whether a container gets the GPU.
        tell: takes a sentence for the log.

    Raises:
        InstallError: it did not work; a second try may, because networks come late.
    """
    if image := asked.get("container"):
        return _container(image, paths, gpu=gpu, tell=tell)
    packages, python = list(asked.get("packages") or ()), asked.get("python")
    if _is_own(python) and (not packages or _fulfilled(packages)):
        return Launch((sys.executable,))
    tell(f"installing Python {python or _own()} with {', '.join(packages) or 'Dask'}")
    made = _install(packages, python or _own(), paths.environment)
    return Launch((str(made),), {"PYTHONPATH": str(_lend_package(paths))})


def process_environ(
    launch: Launch, user: Mapping[str, str], run: Path, base: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """Make the environment of a process: the image's own, over it the user's to the byte, over that ours.

    Where our package is not installed, its folder comes before what the user says is PYTHONPATH.
    """
    # A line that a task prints is not to wait in a buffer.
    made = {b"PYTHONUNBUFFERED": b"1"} | dict(base)
    made |= {_bytes(name): _bytes(value) for name, value in user.items()}
    made |= {_bytes(name): _bytes(value) for name, value in launch.environ.items() if name != "PYTHONPATH"}
    if ours := launch.environ.get("PYTHONPATH"):
        theirs = made.get(b"PYTHONPATH")
        made[b"PYTHONPATH"] = _bytes(ours) + (b":" + theirs if theirs else b"")
    return made | {_bytes(RUN): _bytes(str(run))}


def handed_on(launch: Launch, user: Mapping[str, str], *more: str) -> list[str]:
    """Name the variables that go into a container: it has its own image's, not those of the machine's."""
    return sorted({*user, *launch.environ, *more, "PYTHONUNBUFFERED", RUN})


def end_container() -> None:
    """End a container that an agent before this one left; its process of docker alone does not end it."""
    if docker := shutil.which("docker"):
        subprocess.run(
            [docker, "rm", "--force", CONTAINER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, check=False, timeout=60,
        )  # fmt: skip


def _bytes(text: str) -> bytes:
    # Not by the locale, which under systemd may know ASCII alone.
    return text.encode("utf-8", "surrogateescape")


def _own() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _is_own(python: str | None) -> bool:
    return python is None or python == _own()


def _fulfilled(packages: list[str]) -> bool:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _CHECK], input=json.dumps(packages).encode(), check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip
    return done.returncode == 0


def _install(packages: list[str], python: str, folder: Path) -> Path:
    """Make a virtual environment with the packages and give its Python; one that is half made begins anew."""
    packages = [*packages, *_missing(packages)]
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    interpreter = folder / "bin/python"
    # Not as arguments, which everybody on the machine may read: an address may have a token in it.
    wanted = folder.with_name("requirements.txt")
    write_private(wanted, "".join(f"{package}\n" for package in packages))
    if uv := _uv(folder.with_name("tools")):
        _run([uv, "venv", "--quiet", "--python", python, str(folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(interpreter), "-r", str(wanted)])
    elif python == _own():
        _run([sys.executable, "-m", "venv", str(folder)])
        _run(
            [
                str(interpreter),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
                str(wanted),
            ]
        )
    else:
        msg = f"Python {python} cannot be had: there is no uv here, and it cannot be installed"
        raise InstallError(msg)
    return interpreter


def _missing(packages: list[str]) -> list[str]:
    """Name what the user did not: Dask's processes need `distributed`.

    Without a wish for Dask it is what is on the image: client and cluster have to speak the same.
    """
    names = {re.split(r"[^A-Za-z0-9._-]", text.strip(), maxsplit=1)[0].lower() for text in packages}
    if "distributed" in names:
        return []
    return ["distributed" if "dask" in names else f"distributed=={metadata.version('distributed')}"]


def _uv(tools: Path) -> str:
    """Find uv, which is faster than pip and brings any Python; get it if it is not there; empty if that fails.

    It goes into a folder of its own: the agent's Python may be somebody's who has other uses for it.
    """
    places = [str(Path(sys.executable).parent), str(tools / "bin"), os.environ.get("PATH", "")]
    if (found := shutil.which("uv", path=":".join(places))) is None:
        with contextlib.suppress(InstallError):
            _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tools), "uv"])
        found = shutil.which("uv", path=places[1])
    return found or ""


def _container(image: str, paths: Paths, *, gpu: bool, tell: Callable[[str], None]) -> Launch:
    if shutil.which("docker") is None:
        tell("installing docker")
        _run(["dnf", "install", "-y", "docker"])
        _run(["systemctl", "start", "docker"])
    docker = shutil.which("docker")
    if docker is None:
        msg = "docker is not there after it was installed"
        raise InstallError(msg)
    end_container()
    tell(f"getting the image {image}")
    _run([docker, "pull", "--quiet", image])
    package = str(_lend_package(paths))
    command = [docker, "run", "--network", "host", "--rm", "--name", CONTAINER, "--init", "--user", "0:0"]
    for folder, mode in ((str(paths.run), ""), (package, ":ro"), (str(paths.scratch), "")):
        command += ["-v", f"{folder}:{folder}{mode}"]
    if gpu:
        command += ["--gpus", "all"]
    return Launch((*command, "-w", str(paths.scratch)), {"PYTHONPATH": package}, image)


def _lend_package(paths: Paths) -> Path:
    """Make a folder with nothing but our package: beside it lie the agent's libraries, for another Python maybe."""
    ours = Path(errors.__file__).parent
    shutil.rmtree(paths.package, ignore_errors=True)
    # A copy: a link would lead out of what the container sees.
    shutil.copytree(
        ours / "node", paths.package / "coiled_pulumi/node", ignore=shutil.ignore_patterns("__pycache__")
    )
    for file in BESIDE:
        shutil.copy(ours / file, paths.package / "coiled_pulumi" / file)
    return paths.package


def _run(command: list[str]) -> None:
    """Run something and wait for its end.

    Raises:
        InstallError: it failed, with its last lines.
    """
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        msg = f"{command[0]} cannot be started: {error.strerror}"
        raise InstallError(msg) from error
    with child:
        try:
            said, _ = child.communicate(timeout=_PATIENCE)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            msg = f"{Path(command[0]).name} did not end within {_PATIENCE // 60} minutes"
            raise InstallError(msg) from error
    if child.returncode:
        lines = said.decode("utf-8", "replace").splitlines()[-_TAIL:]
        msg = f"{' '.join([Path(command[0]).name, *command[1:3]])} failed with exit code {child.returncode}"
        raise InstallError(msg, "\n".join(lines))
