"""The wheel of the agent: what machines whose image does not have it install, made from the package that runs here.

It has the modules that a machine needs and no more, uncompressed: the same modules are the same bytes, so that the
hash says which agent it is. https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from coiled_pulumi import node
from coiled_pulumi.aws import session

_TAG: Final = "py3-none-any"
_WHEEL: Final = f"Wheel-Version: 1.0\nGenerator: coiled-pulumi\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
#: Zip files know no earlier time.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, and where it lies in a bucket."""

    name: str
    content: bytes

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Give its place in a bucket: another content is another object, and machines of older clusters keep theirs."""
        return f"agent/{self.hash[:12]}/{self.name}"

    def address(self, bucket: str) -> str:
        """Give what the option `agent` takes."""
        return f"s3://{bucket}/{self.key}#sha256={self.hash}"


def build() -> Wheel:
    """Make the wheel."""
    version = metadata.version("coiled-pulumi")
    stem = f"coiled_pulumi-{version}"
    about = f"{stem}.dist-info"
    files = dict(_modules()) | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: coiled-pulumi\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": _WHEEL.encode(),
    }
    record = f"{about}/RECORD"
    files[record] = "".join([*map(_line, files.items()), f"{record},,\n"]).encode()
    return Wheel(f"{stem}-{_TAG}.whl", _zipped(files))


def is_there(wheel: Wheel, bucket: str, *, region: str) -> bool:
    """Tell whether the wheel is in a bucket.

    Raises:
        CoiledPulumiError: the bucket may not be read.
    """
    with session.told():
        found = session.client("s3", region).list_objects_v2(Bucket=bucket, Prefix=wheel.key)
    return any(one["Key"] == wheel.key for one in found.get("Contents", ()))


def put(wheel: Wheel, bucket: str, *, region: str) -> None:
    """Put the wheel into a bucket, encrypted by S3's own key: machines get no right to the key of the state.

    Raises:
        CoiledPulumiError: AWS refused.
    """
    with session.told():
        session.client("s3", region).put_object(
            Bucket=bucket, Key=wheel.key, Body=wheel.content, ServerSideEncryption="AES256"
        )


def _modules() -> Iterator[tuple[str, bytes]]:
    package = Path(node.__file__).parents[1]
    for file in sorted([*(package / name for name in node.BESIDE), *(package / "node").glob("*.py")]):
        yield file.relative_to(package.parent).as_posix(), file.read_bytes()


def _line(item: tuple[str, bytes]) -> str:
    name, content = item
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def _zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()
