"""Promise: what a target and a workload name on this machine is taken along, and named as it stands there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import NotPossible
from loadtests.generator.target import Target
from loadtests.run.carried import carried
from loadtests.run.launcher import FOLDER
from settings.loads import shipped

PROFILE = shipped().profiles[0]


def target(folder: Path, **more: object) -> Target:
    """Return one over TLS, whose files are there."""
    for name in ("ca.crt", "operator.crt", "operator.key"):
        folder.joinpath(name).write_text(f"this is {name}")
    files = f"ssl_ca_certs={folder}/ca.crt&ssl_certfile={folder}/operator.crt&ssl_keyfile={folder}/operator.key"
    url = f"rediss://producer:secret@db:6379/0?ssl_cert_reqs=required&{files}"
    return Target(broker=url, results=url, queues=["fast"], **more)  # type: ignore[arg-type]


def test_tls_files_go_along(tmp_path: Path) -> None:
    files = carried(target(tmp_path), PROFILE)
    said = json.loads(files["target.json"])
    assert str(tmp_path) not in said["broker"] + said["results"]
    for url in (said["broker"], said["results"]):
        query = dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))
        assert query.pop("ssl_cert_reqs") == "required"
        texts = [files[path.removeprefix(f"{FOLDER}/")] for path in query.values()]
        assert texts == ["this is ca.crt", "this is operator.crt", "this is operator.key"]


def test_those_of_sentinels_too(tmp_path: Path) -> None:
    tls = {"ssl_cert_reqs": "required", "ssl_ca_certs": f"{tmp_path}/ca.crt"}
    files = carried(target(tmp_path, sentinel={"master_name": "broker", "tls": tls}), PROFILE)
    there = json.loads(files["target.json"])["sentinel"]
    assert there["master_name"] == "broker"
    assert there["tls"]["ssl_cert_reqs"] == "required"
    assert files[there["tls"]["ssl_ca_certs"].removeprefix(f"{FOLDER}/")] == "this is ca.crt"


def test_a_trace_goes_along(tmp_path: Path) -> None:
    trace = tmp_path / "arrivals"
    trace.write_text("0.5\n1.5\n")
    files = carried(target(tmp_path), PROFILE.model_copy(update={"trace": str(trace)}))
    there = json.loads(files["profile.json"])["trace"]
    assert files[there.removeprefix(f"{FOLDER}/")] == "0.5\n1.5\n"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    wanted = target(tmp_path)
    (tmp_path / "operator.key").unlink()
    with pytest.raises(NotPossible, match=r"operator.key cannot be read \(No such file or directory\)"):
        carried(wanted, PROFILE)
