"""Certificates: who gets which, when they are renewed, and what TLS itself makes of them."""

from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from settings.certificates import (
    SKEW,
    BadCertificateError,
    Issued,
    authority_of,
    days_left,
    issue,
    names_of,
    new_authority,
    now,
    read_certificates,
    signed_by,
)
from settings.fleet import Fleet
from settings.issue import NotIssuedError, announce, bring_up_to_date, server_names
from settings.rules import findings
from settings.secrets import write_private
from settings.vaults import VaultClosedError, is_encrypted, read_clear
from unit_tests.settings.fleets import fleet_of

DAY = datetime.timedelta(days=1)
HOSTS: dict[str, Any] = {
    "db": {"groups": ["redis"], "address": "10.0.0.1", "redis_bind": ["10.0.0.1", "127.0.0.1"]},
    "w1": {"groups": ["celery", "beat"], "address": "10.0.0.2"},
}
WRITTEN = ["ca.crt", "ca.key", "clients/operator.crt", "clients/operator.key", "clients/w1.crt", "clients/w1.key"]
WRITTEN += ["servers/db.crt", "servers/db.key"]


def fleet_in(folder: Path, **values: Any) -> Fleet:
    case = {"tls_source": "generated", "tls_directory": str(folder), "redis_tls_port": 6380, "redis_port": 0}
    fleet, problems = fleet_of({**case, "hosts": HOSTS, **values})
    assert fleet is not None, problems
    return fleet


def make(fleet: Fleet, at: datetime.datetime, *, found: bool = True, vault: Path | None = None) -> list[str]:
    said: list[str] = []
    bring_up_to_date(fleet, at, may_found=found, vault_password=vault, say=said.append)
    return said


def rules_broken(fleet: Fleet) -> set[str]:
    return {problem.rule for problem in findings(fleet)}


def test_every_server_every_worker_and_the_operator_get_a_certificate_once(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path)
    assert len(make(fleet, now())) == 4
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.[ck][re][ty]")) == WRITTEN
    assert make(fleet, now()) == []
    assert not {rule for rule in rules_broken(fleet) if rule.startswith("tls-")}


def test_no_client_gets_one_where_nobody_asks(tmp_path: Path) -> None:
    make(fleet_in(tmp_path, redis_tls_auth_clients="no"), now())
    assert not (tmp_path / "clients").exists()


def test_a_server_is_called_by_every_name_that_clients_may_use(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path, redis_advertise_address="redis.example.com", tls_extra_names=["*.example.org"])
    due = {"10.0.0.1", "redis.example.com", "db", "localhost", "127.0.0.1", "::1", "*.example.org"}
    assert set(server_names(fleet.hosts["db"])) == due
    make(fleet, now())
    assert names_of(read_certificates((tmp_path / "servers/db.crt").read_text())[0]) == due


def test_a_new_name_a_short_life_and_a_lost_key_are_reasons_to_issue_again(tmp_path: Path) -> None:
    make(fleet_in(tmp_path), now())
    assert make(fleet_in(tmp_path, tls_extra_names=["broker.example.com"]), now()) == [
        f"wrote {tmp_path}/servers/db.crt (without broker.example.com)"
    ]
    later = now() + (365 - 59) * DAY
    renewed = make(fleet_in(tmp_path, tls_extra_names=["broker.example.com"]), later)
    assert len(renewed) == 3
    assert all("59 days left" in line for line in renewed)
    (tmp_path / "clients/w1.key").unlink()
    assert make(fleet_in(tmp_path), later) == [f"wrote {tmp_path}/clients/w1.crt (new)"]


def test_one_day_before_renewal_nothing_is_written(tmp_path: Path) -> None:
    make(fleet_in(tmp_path), now())
    assert make(fleet_in(tmp_path), now() + (365 - 61) * DAY) == []


def test_a_certificate_that_ends_soon_is_told_before_it_does(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path)
    make(fleet, now() - (365 - 22) * DAY)
    assert "tls-expiry" not in rules_broken(fleet)
    (tmp_path / "servers/db.crt").unlink()
    make(fleet, now() - (365 - 20) * DAY)
    (told,) = [problem for problem in findings(fleet) if problem.rule == "tls-expiry"]
    assert "servers/db.crt: it ends in 20.0 days" in told.message or "19.9 days" in told.message
    assert "make certificates" in told.fix


def test_an_authority_that_ends_is_told_while_there_is_time_to_replace_it(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path, tls_authority_days=400)
    make(fleet, now() - 345 * DAY)
    told = [problem for problem in findings(fleet) if problem.rule == "tls-expiry"]
    assert any(problem.variable == "tls_renew_days" and "NEXT=1" in problem.fix for problem in told)


def test_a_deploy_founds_no_authority_and_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(NotIssuedError, match="make certificates"):
        make(fleet_in(tmp_path), now(), found=False)
    assert list(tmp_path.iterdir()) == []


def test_an_authority_kept_elsewhere_is_missed_only_when_something_is_due(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path)
    make(fleet, now())
    (tmp_path / "ca.key").unlink()
    assert make(fleet, now(), found=False) == []
    with pytest.raises(NotIssuedError, match=r"ca\.key is not there"):
        make(fleet, now() + 330 * DAY, found=False)


def test_a_next_authority_is_trusted_first_and_signs_later(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path)
    make(fleet, now())
    announce(fleet, now(), vault_password=None, say=lambda line: None)
    old, new = read_certificates((tmp_path / "ca.crt").read_text())
    assert make(fleet, now()) == []
    with pytest.raises(NotIssuedError, match="there already"):
        announce(fleet, now(), vault_password=None, say=lambda line: None)
    (tmp_path / "ca-next.key").rename(tmp_path / "ca.key")
    assert len(make(fleet, now())) == 3
    server = read_certificates((tmp_path / "servers/db.crt").read_text())[0]
    assert signed_by(server, new)
    assert not signed_by(server, old)


def test_keys_are_encrypted_where_a_password_is_given(tmp_path: Path) -> None:
    password = tmp_path / "password"
    write_private(password, "sesame\n")
    make(fleet_in(tmp_path / "tls"), now(), vault=password)
    key = tmp_path / "tls/servers/db.key"
    assert is_encrypted(key)
    assert not (tmp_path / "tls/.gitignore").exists()
    assert "PRIVATE KEY" in read_clear(key, password)
    with pytest.raises(VaultClosedError, match="ANSIBLE_VAULT_PASSWORD_FILE"):
        read_clear(key)


def test_a_key_in_clear_that_others_may_read_is_refused(tmp_path: Path) -> None:
    fleet = fleet_in(tmp_path)
    make(fleet, now())
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.rglob("*.key"))
    assert "tls-key-private" not in rules_broken(fleet)
    (tmp_path / "ca.key").chmod(0o644)
    assert "tls-key-private" in rules_broken(fleet)


def test_keys_in_clear_are_hidden_from_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    make(fleet_in(tmp_path / "tls"), now())
    command = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "tls/ca.crt" in seen
    assert ".key" not in seen


def test_what_is_no_certificate_or_another_ones_key_is_said(tmp_path: Path) -> None:
    one, other = new_authority("one", 10, now()), new_authority("other", 10, now())
    with pytest.raises(BadCertificateError, match="no certificate"):
        read_certificates("hello")
    with pytest.raises(BadCertificateError, match="none of the certificates"):
        authority_of(read_certificates(one.certificate), other.key)
    with pytest.raises(BadCertificateError, match="no private key"):
        authority_of(read_certificates(one.certificate), "hello")


def test_a_certificate_does_not_outlive_its_authority() -> None:
    made = new_authority("short", 10, now())
    authority = authority_of(read_certificates(made.certificate), made.key)
    leaf = read_certificates(issue(authority, "db", ["db"], server=True, days=365, at=now()).certificate)[0]
    assert leaf.not_valid_after_utc == authority.certificate.not_valid_after_utc
    assert 9 < days_left(leaf, now()) <= 10


# -- what TLS makes of them: a handshake over a socket pair, both sides as strict as Python 3.13 is by default


class Parties:
    """An authority, a server and a client that it issued."""

    def __init__(self, folder: Path, name: str = "one", *, ended: bool = False) -> None:
        at = now() - (30 * DAY if ended else SKEW)
        made = new_authority(name, 3650, at)
        authority = authority_of(read_certificates(made.certificate), made.key)
        days = 10 if ended else 365
        self.authority = self._write(folder / f"{name}-ca", made)
        self.server = self._write(
            folder / f"{name}-server", issue(authority, "db", ["localhost"], server=True, days=days, at=at)
        )
        self.client = self._write(folder / f"{name}-client", issue(authority, "w1", [], server=False, days=days, at=at))

    @staticmethod
    def _write(stem: Path, issued: Issued) -> Path:
        write_private(stem.with_suffix(".crt"), issued.certificate)
        write_private(stem.with_suffix(".key"), issued.key)
        return stem


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> str:
    """Return what failed first on either side; empty where both agreed and a byte went across."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    failures: list[str] = []

    def serve() -> None:
        try:
            with server.wrap_socket(ours, server_side=True) as tls:
                tls.sendall(b"+")
        except OSError as error:
            failures.append(str(error))
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=name) as tls:
            assert tls.recv(1) == b"+"
    except OSError as error:
        failures.append(str(error))
        theirs.close()
    finally:
        thread.join(timeout=10)
    return " / ".join(failures)


def contexts(parties: Parties, trusted: Parties, shown: Parties | None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's context, which asks for a certificate, and a client's that trusts and shows these."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(parties.authority.with_suffix(".crt")))
    server.load_cert_chain(parties.server.with_suffix(".crt"), parties.server.with_suffix(".key"))
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(trusted.authority.with_suffix(".crt")))
    if shown:
        client.load_cert_chain(shown.client.with_suffix(".crt"), shown.client.with_suffix(".key"))
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return server, client


def test_server_and_client_of_one_authority_trust_each_other(tmp_path: Path) -> None:
    parties = Parties(tmp_path)
    assert shake_hands(*contexts(parties, parties, parties)) == ""


def test_another_authority_another_name_and_no_certificate_are_refused(tmp_path: Path) -> None:
    parties, other = Parties(tmp_path), Parties(tmp_path, "other")
    assert "CERTIFICATE_VERIFY_FAILED" in shake_hands(*contexts(parties, other, parties))
    assert "CERTIFICATE_VERIFY_FAILED" in shake_hands(*contexts(parties, parties, other))
    assert "Hostname mismatch" in shake_hands(*contexts(parties, parties, parties), name="elsewhere")
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in shake_hands(*contexts(parties, parties, None))


def test_an_ended_certificate_is_refused_by_both_sides(tmp_path: Path) -> None:
    parties = Parties(tmp_path, ended=True)
    assert "certificate has expired" in shake_hands(*contexts(parties, parties, parties))
