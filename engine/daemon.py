"""Docker's engine: found, or installed and started where we are root on Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException

from engine.errors import NotPossible
from engine.waiting import await_truth

START = 60.0  # seconds
LOG = Path("build/engine/dockerd.log")
HELP = "install Docker (https://docs.docker.com/engine/install/), start it, and let this user talk to it"


def answering() -> docker.DockerClient | None:
    """Return a client of the engine that answers, if one does."""
    try:
        client = docker.from_env(version="auto", timeout=120)
        client.ping()
    except DockerException:
        return None
    return client


def engine() -> docker.DockerClient:
    """Return a client of Docker, which is installed and started where that is ours to do.

    Raises:
        NotPossible: if no engine answers, and we are not root on Debian or Ubuntu.
    """
    client = answering()
    if client:
        return client
    if os.geteuid() or not shutil.which("apt-get"):
        raise NotPossible(f"No Docker answers here: {HELP}.")
    if not shutil.which("dockerd"):
        install("docker.io", "iptables")
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False)
    else:
        LOG.parent.mkdir(parents=True, exist_ok=True)
        with LOG.open("ab") as log:
            subprocess.Popen(["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    print("starting Docker's engine")
    try:
        return await_truth("an answer of Docker's engine", partial(answering), START)
    except NotPossible as error:
        raise NotPossible(f"{error} Look into {LOG}, or {HELP}.") from None


def install(*packages: str) -> None:
    """Install packages of Debian.

    Raises:
        NotPossible: where apt-get fails.
    """
    print(f"installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-qq", *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise NotPossible(f"apt-get {words[0]} failed: {' '.join(last)}. Check the network and the mirrors of apt.")
