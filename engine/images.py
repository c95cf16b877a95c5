"""Images: pulled where a registry answers, built otherwise."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import yaml
from docker.errors import APIError, BuildError, ImageNotFound

from engine.daemon import install
from engine.errors import NotPossible

CHECKOUT = Path(__file__).resolve().parents[1]
DESCRIPTION = CHECKOUT / "images" / "images.yml"
REPOSITORY = "redis-celery-stack"
BOOTSTRAP = 600  # seconds that a base may take


@dataclass(frozen=True)
class Image:
    """An entry of images/images.yml."""

    name: str
    pull: str = ""
    suite: str = ""  # of Debian, from whose packages it can be built
    build: str = ""  # folder with a Dockerfile
    base: str = ""


def described() -> dict[str, Image]:
    """Return name → image."""
    entries = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return {name: Image(name, **entry) for name, entry in entries.items()}


def ensure(client: docker.DockerClient, name: str) -> str:
    """Return the tag of an image, which is pulled or built first where it is missing.

    Raises:
        NotPossible: if there is no such image, or it can neither be pulled nor built here.
    """
    known = described()
    if name not in known:
        raise NotPossible(f"images/images.yml has no image {name}: use one of {', '.join(sorted(known))}.")
    image = known[name]
    return _built(client, image) if image.build else _base(client, image)


def _there(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _base(client: docker.DockerClient, image: Image) -> str:
    ours = f"{REPOSITORY}/{image.name}:packages"
    for tag in (image.pull, ours):
        if _there(client, tag):
            return tag
    print(f"pulling {image.pull}")
    try:
        client.images.pull(image.pull)
    except (APIError, ImageNotFound) as error:
        _bootstrap(client, image, ours, str(error.explanation or error))
        return ours
    return image.pull


def _bootstrap(client: docker.DockerClient, image: Image, tag: str, refused: str) -> None:
    """Build a base from Debian's packages."""
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotPossible(
            f"{image.pull} cannot be pulled ({refused}), and building it takes root on Debian: check the registry."
        )
    if not shutil.which("mmdebstrap"):
        install("mmdebstrap")
    print(f"no registry answers: building {tag} from Debian's packages")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        done = subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", image.suite, str(archive)],
            capture_output=True,
            text=True,
            check=False,
            timeout=BOOTSTRAP,
        )
        if done.returncode:
            raise NotPossible(f"mmdebstrap {image.suite} failed: {done.stderr.strip()[-500:]}")
        repository, version = tag.rsplit(":", 1)
        client.api.import_image_from_file(str(archive), repository=repository, tag=version)


def _built(client: docker.DockerClient, image: Image) -> str:
    base = ensure(client, image.base)
    folder = CHECKOUT / image.build
    tag = f"{REPOSITORY}/{image.name}:{_digest(folder, base)}"
    if _there(client, tag):
        return tag
    print(f"building {tag}")
    try:
        client.images.build(path=str(folder), tag=tag, buildargs={"BASE": base}, rm=True, forcerm=True)
    except BuildError as error:
        log = "".join(str(line.get("stream", "")) for line in error.build_log)
        raise NotPossible(f"{image.build} cannot be built: {error.msg}\n{log[-2000:]}") from None
    return tag


def _digest(folder: Path, base: str) -> str:
    """Return 12 digits that change with anything that goes into the image."""
    digest = hashlib.sha256(base.encode())
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
