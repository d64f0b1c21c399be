"""The file system that an instance sees: the machine's, as one that can be written without changing it.

What an instance writes goes to memory and is gone with it, except for the folders of `KEPT`, which are folders on the
machine, in the instance's own. What is of a user or of a running system there (/home, /root, /run, /tmp) is not seen.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coiled_pulumi.local.hosts.namespaces import call

#: Folders of an instance that are on the machine, in FOLDER/root.
KEPT: Final = (
    *("/etc/coiled-pulumi", "/etc/systemd/system", "/opt/coiled-pulumi"),
    *("/home", "/root", "/run", "/tmp", "/var/log", "/var/tmp"),  # noqa: S108 an instance's own
)
#: Of these, the ones that a restart empties.
VOLATILE: Final = ("/run", "/tmp")  # noqa: S108 an instance's own
#: Where an instance finds what Python lives of, if these are mounts of their own.
_SYSTEM: Final = ("/bin", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/usr", "/var")
#: Programs that act on the machine, or would take long: an instance has ours, from FOLDER/bin.
SHIMS: Final = ("systemctl", "shutdown", "poweroff", "reboot", "halt", "dnf")
_PROGRAM_FOLDERS: Final = ("/usr/bin", "/usr/sbin", "/bin", "/sbin")
#: All devices that an instance has; the machine's disks are not among them.
_DEVICES: Final = ("full", "null", "random", "tty", "urandom", "zero")
_LINKS: Final = {
    "fd": "/proc/self/fd",
    "ptmx": "pts/ptmx",
    "stderr": "fd/2",
    "stdin": "fd/0",
    "stdout": "fd/1",
}
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 2, 4, 8
_DETACH: Final = 2
_HERE: Final = -100
_ATTRIBUTE_READ_ONLY: Final = 1
_ALL_BELOW: Final = 0x8000


@dataclass(frozen=True, slots=True)
class Disk:
    """What of an instance's file system is on the machine."""

    folder: Path
    """The instance's own; it sees it under the same name."""
    hostname: str
    address: str

    @property
    def root(self) -> Path:
        """Has the folders of `KEPT`."""
        return self.folder / "root"

    @property
    def shims(self) -> Path:
        """First in the PATH."""
        return self.folder / "bin"

    @property
    def output(self) -> Path:
        """What the first process prints."""
        return self.folder / "console.log"

    def lay_out(self) -> None:
        """Make the folders; what a restart would keep stays."""
        self.clear()
        before = os.umask(0o022)  # as on any machine; nobody else gets into our own folder
        try:
            self._fill()
        finally:
            os.umask(before)

    def _fill(self) -> None:
        for folder in (self.shims, self.folder / "mounts", *(self.inside(path) for path in KEPT)):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.inside("/tmp").chmod(0o1777)  # noqa: S108 the instance's own
        self._write(self.root / "etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.hostname}\n")
        # No name is looked up anywhere: where nobody is asked, the answer is there at once.
        self._write(self.root / "etc/resolv.conf", "")
        python = self.inside("/opt/coiled-pulumi/bin/python")
        self._write(python, f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)

    def describe(self, user_data: str, environ: Mapping[str, str], mode: str) -> None:
        """Write what the instance's first process has to know."""
        known = {"id": self.folder.name, "user_data": user_data, "environ": dict(environ), "mode": mode}
        file = self.folder / "instance.json"
        file.touch(mode=0o600)  # user data may hold what others should not read
        file.write_text(json.dumps(known), encoding="utf-8")

    def clear(self) -> None:
        """Remove what ends with the instance's processes."""
        for path in VOLATILE:
            # The instance may have put a link in the way.
            if self.inside(path).parent.resolve() == self.root.parent.resolve() / "root":
                shutil.rmtree(self.inside(path), ignore_errors=True)

    def inside(self, path: str) -> Path:
        """Give where on the machine a path of `KEPT`, or below it, is."""
        return self.root / path.lstrip("/")

    def _write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # it may be a link by now
        file.write_text(text, encoding="utf-8")

    def enter(self) -> None:
        """Make the instance's file system ours; called in namespaces of mounts and processes of our own.

        Raises:
            OSError: the kernel does not let us.
        """
        os.umask(0o022)
        _mount("none", "/", flags=_RECURSIVE | _PRIVATE)
        memory = self.folder / "mounts"
        _mount("tmpfs", memory, kind="tmpfs", options="mode=0755")
        new = memory / "root"
        _lay_root(new, memory)
        _mount_kernel(new)
        for path in KEPT:
            _show(self.inside(path), new, at=path)
        for name in ("hosts", "resolv.conf"):
            _show(self.root / "etc" / name, new, at=f"/etc/{name}")
        for number, path in enumerate(_needed()):
            if _is_hidden(path, new):
                _layer(path, new, memory / f"layers-{number}")
        _show(self.folder, new, at=str(self.folder))
        self._put_shims(new)
        _make_root(new)

    def _put_shims(self, new: Path) -> None:
        """Let the full names of programs that act on the machine lead to ours as well."""
        for name in SHIMS:
            for folder in _PROGRAM_FOLDERS:
                program = new / folder[1:] / name
                if program.parent.is_dir() and not program.parent.is_symlink():
                    program.unlink(missing_ok=True)
                    program.symlink_to(self.shims / name)


def _needed() -> Iterator[Path]:
    """Give what has to be seen for this Python to run with its packages, and what any program needs."""
    yield from (Path(path) for path in _SYSTEM if Path(path).is_dir() and not Path(path).is_symlink())
    package = Path(__file__).resolve().parents[3]
    link = Path(sys.executable)
    folders = [Path(sys.prefix), Path(sys.base_prefix), package, Path(sysconfig.get_path("stdlib"))]
    while True:
        folders.append(link.parent)
        if not link.is_symlink():
            break
        link = link.parent / link.readlink()
    folders += [Path(path) for path in sys.path if path]
    yield from sorted({path for path in folders if path.is_dir()})


def _is_hidden(path: Path, new: Path) -> bool:
    there = new / str(path).lstrip("/")
    return not there.is_dir() or not set(os.listdir(path)) <= set(os.listdir(there))


def _mount(
    source: str | Path, target: str | Path, *, kind: str = "", flags: int = 0, options: str = ""
) -> None:
    values = [os.fsencode(value) or None for value in (source, target, kind)]
    try:
        call("mount", *values, ctypes.c_ulong(flags), os.fsencode(options) or None)
    except OSError as error:
        raise OSError(error.errno, f"mounting {source} at {target}: {os.strerror(error.errno)}") from None


def _overlay(lower: Path, target: Path, layers: Path) -> None:
    for folder in (target, layers / "upper", layers / "work"):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={_escaped(lower)},upperdir={_escaped(layers)}/upper,workdir={_escaped(layers)}/work"
    _mount("overlay", target, kind="overlay", options=options)


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _show(source: Path, new: Path, *, at: str) -> None:
    """Bind something of the machine into the new root."""
    target = new / at.lstrip("/")
    if target.is_symlink():  # may lead out of the new root
        target.unlink()
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    _mount(source, target, flags=_BIND)


def _lay_root(new: Path, memory: Path) -> None:
    """Put a layer above the machine's root."""
    try:
        _overlay(Path("/"), new, memory / "layers")
    except OSError:
        # Who has no rights on the machine can't have what other mounts hide: then folder by folder.
        _mount(new, new, flags=_BIND)  # a root has to be a mount
        ours = {"dev", "proc", "sys"}
        for number, entry in enumerate(os.scandir("/")):
            if entry.is_symlink():
                (new / entry.name).symlink_to(os.readlink(entry.path))
            elif entry.is_dir() and (entry.name in ours or entry.path in KEPT):
                (new / entry.name).mkdir()
            elif entry.is_dir():
                _layer(Path(entry.path), new, memory / f"layers-root-{number}")


def _layer(path: Path, new: Path, layers: Path) -> None:
    """Show a folder of the machine with a layer above; where there can be none, it can only be read."""
    target = new / str(path).lstrip("/")
    target.mkdir(parents=True, exist_ok=True)
    try:
        _overlay(path, target, layers)
    except OSError:
        _mount(path, target, flags=_BIND | _RECURSIVE)
        _make_read_only(target)


def _mount_kernel(new: Path) -> None:
    """Mount what is not on a disk: /proc of our processes, harmless devices, /sys to read."""
    _mount("proc", new / "proc", kind="proc", flags=_NO_SETUID | _NO_DEVICES | _NO_PROGRAMS)
    # What of it is the whole machine's can be read only; the network's part is the instance's own.
    _mount(new / "proc/sys", new / "proc/sys", flags=_BIND)
    _mount(new / "proc/sys/net", new / "proc/sys/net", flags=_BIND)
    safe = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    _mount("none", new / "proc/sys", flags=_BIND | _REMOUNT | _READ_ONLY | safe)
    _mount_devices(new / "dev")
    _mount("/sys", new / "sys", flags=_BIND | _RECURSIVE)
    with suppress(OSError):  # nobody writes there by mistake
        _make_read_only(new / "sys")


def _mount_devices(folder: Path) -> None:
    _mount("tmpfs", folder, kind="tmpfs", flags=_NO_SETUID, options="mode=0755")
    for name in _DEVICES:
        (folder / name).touch()
        _mount(f"/dev/{name}", folder / name, flags=_BIND)
    for name, target in _LINKS.items():
        (folder / name).symlink_to(target)
    (folder / "shm").mkdir()
    _mount("tmpfs", folder / "shm", kind="tmpfs", flags=_NO_SETUID | _NO_DEVICES, options="mode=1777")
    (folder / "pts").mkdir()
    options = "newinstance,mode=0620,ptmxmode=0666"
    _mount("devpts", folder / "pts", kind="devpts", flags=_NO_SETUID | _NO_PROGRAMS, options=options)


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "users")]


def _make_read_only(path: Path) -> None:
    """Let a tree of mounts be read only.

    Raises:
        OSError: Linux is older than 5.12, or the C library than 2.36.
    """
    wanted = _Attributes(set=_ATTRIBUTE_READ_ONLY)
    call("mount_setattr", _HERE, os.fsencode(path), _ALL_BELOW, ctypes.byref(wanted), ctypes.sizeof(wanted))


def _make_root(new: Path) -> None:
    """Put the new root in the place of the old one, and the old one away."""
    os.chdir(new)
    call("pivot_root", b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")
