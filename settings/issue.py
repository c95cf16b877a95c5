"""`make certificates`: write what is missing or due, and nothing else."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from settings.addresses import bare, is_every_interface
from settings.certificates import (
    Authority,
    BadCertificateError,
    Issued,
    authority_of,
    days_left,
    issue,
    names_of,
    new_authority,
    read_certificates,
    signed_by,
)
from settings.fleet import Fleet, HostSettings
from settings.secrets import encrypt, write_private
from settings.tls import OPERATOR, Store, is_client, is_server, store
from settings.vaults import read_clear

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PUBLIC = 0o644
# Where no vault password is given, keys stand in clear: git must not see them.
IGNORE = "# Keys in clear: `make certificates` found no ANSIBLE_VAULT_PASSWORD_FILE to encrypt them with.\n*.key\n"


class NotIssuedError(Exception):
    """Certificates are due and cannot be issued; the message says why and what to type."""


@dataclass(frozen=True)
class Wanted:
    """A certificate that a fleet needs."""

    name: str
    paths: tuple[Path, Path]
    server: bool
    names: tuple[str, ...]
    days: int
    renew_days: int


def wanted(fleet: Fleet) -> dict[Store, list[Wanted]]:
    """Return what each directory of generated certificates has to hold."""
    found: dict[Store, list[Wanted]] = {}
    for host in fleet:
        if host.tls.source == "generated":
            found.setdefault(store(host), []).extend(_of_host(fleet, host))
    for place, entries in found.items():
        if any(not entry.server for entry in entries):  # somebody asks for certificates: verify needs one, too
            first = entries[0]
            entries.append(
                Wanted(OPERATOR, place.client(OPERATOR), False, (), days=first.days, renew_days=first.renew_days)
            )
    return found


def server_names(host: HostSettings) -> tuple[str, ...]:
    """Return every name and address by which clients may call the Redis of a host."""
    bound = [bare(one) for instance in host.instances for one in instance.bind if not is_every_interface(one)]
    own = [host.address, host.redis.advertise_address, host.name.replace("_", "-"), *bound, *host.tls.extra_names]
    return tuple(sorted({name.lower() for name in (*own, *LOOPBACK) if name}))


def _of_host(fleet: Fleet, host: HostSettings) -> Iterator[Wanted]:
    place, times = store(host), {"days": host.tls.days, "renew_days": host.tls.renew_days}
    if is_server(fleet, host):
        yield Wanted(host.name, place.server(host.name), True, server_names(host), **times)
    if is_client(fleet, host):
        yield Wanted(host.name, place.client(host.name), False, (), **times)


def why_due(entry: Wanted, authority: Authority | None, at: datetime.datetime) -> str:
    """Say why a certificate has to be issued; empty where it need not."""
    certificate, key = entry.paths
    if not (certificate.is_file() and key.is_file()):
        return "new"
    try:
        found = read_certificates(certificate.read_text())[0]
    except (BadCertificateError, UnicodeDecodeError):
        return "unreadable"
    left = days_left(found, at)
    # one that ends with its authority cannot be had for longer
    longest = min(days_left(authority.certificate, at), entry.days) if authority else entry.days
    if left < min(entry.renew_days, longest - 1):
        return f"{left:.0f} days left"
    missing = set(entry.names) - names_of(found)
    if missing:
        return f"without {', '.join(sorted(missing))}"
    if authority and not signed_by(found, authority.certificate):
        return "of another authority"
    return ""


def bring_up_to_date(
    fleet: Fleet, at: datetime.datetime, *, may_found: bool, vault_password: Path | None, say: Callable[[str], None]
) -> int:
    """Issue what is missing or due; return how many certificates were written.

    Args:
        fleet: who needs which.
        at: the time of issue.
        may_found: whether a new authority may be made where there is none. A deploy may not: on a machine that lacks
            the directory it would replace the trust of the whole fleet.
        vault_password: file with the password that keys are encrypted with; without one they stand in clear.
        say: is given a line per file.

    Raises:
        NotIssuedError: if something is due and the authority or its key is not there.
    """
    written = 0
    for place, entries in wanted(fleet).items():
        writer = _Writer(vault_password, place)
        days = max(host.tls.authority_days for host in fleet if store(host) == place)
        authority = _authority(place, entries, writer, days, at, may_found=may_found, say=say)
        for entry in entries:
            reason = why_due(entry, authority, at)
            if not reason:
                continue
            if authority is None:
                raise NotIssuedError(
                    f"{entry.paths[0]} is due ({reason}), and {place.authority_key} is not there: bring the "
                    "authority's key, then run `make certificates ENV=...`."
                )
            issued = issue(authority, entry.name, entry.names, server=entry.server, days=entry.days, at=at)
            writer.write(entry.paths, issued)
            written += 1
            say(f"wrote {entry.paths[0]} ({reason})")
    return written


def announce(fleet: Fleet, at: datetime.datetime, *, vault_password: Path | None, say: Callable[[str], None]) -> None:
    """Add a new authority to those that are trusted; it signs once its key is renamed to ca.key.

    Raises:
        NotIssuedError: if there is no authority yet, or one is announced already.
    """
    for place, entries in wanted(fleet).items():
        if not entries:
            continue
        if not place.authority.is_file() or place.next_key.is_file():
            said = (
                f"{place.next_key} is there already" if place.next_key.is_file() else f"there is no {place.authority}"
            )
            raise NotIssuedError(f"A next authority cannot be made: {said}.")
        days = max(host.tls.authority_days for host in fleet if store(host) == place)
        made = new_authority(_name(place, at), days, at)
        both = Issued(place.authority.read_text() + made.certificate, made.key)
        _Writer(vault_password, place).write((place.authority, place.next_key), both)
        say(
            f"added a new authority to {place.authority}: deploy, so that all trust it; then move {place.next_key} to "
            f"{place.authority_key} and deploy; then delete the old one from {place.authority} and deploy."
        )


def _name(place: Store, at: datetime.datetime) -> str:
    return f"Redis of {place.folder.resolve().parent.name}, {at:%Y-%m-%d}"


def _authority(
    place: Store,
    entries: list[Wanted],
    writer: _Writer,
    days: int,
    at: datetime.datetime,
    *,
    may_found: bool,
    say: Callable[[str], None],
) -> Authority | None:
    if not entries:
        return None
    if not place.authority.is_file():
        if not may_found:
            raise NotIssuedError(f"There is no {place.authority}: run `make certificates ENV=...`.")
        writer.write((place.authority, place.authority_key), new_authority(_name(place, at), days, at))
        say(f"wrote {place.authority} (new) and its key, {writer.how}")
    if not place.authority_key.is_file():
        return None  # kept elsewhere: fine as long as nothing is due
    try:
        return authority_of(
            read_certificates(place.authority.read_text()), read_clear(place.authority_key, writer.password)
        )
    except BadCertificateError as error:
        raise NotIssuedError(f"{place.authority_key}: {error}.") from None


class _Writer:
    """Writes certificates for everybody, and keys for nobody else."""

    def __init__(self, vault_password: Path | None, place: Store) -> None:
        self.password = vault_password
        self.ignore = place.folder / ".gitignore"
        self.how = "encrypted; commit it" if vault_password else "in clear, mode 0600, ignored by git"

    def write(self, paths: tuple[Path, Path], issued: Issued) -> None:
        """Write the key first: a certificate without its key would look complete."""
        certificate, key = paths
        if self.password is None and not self.ignore.exists():
            write_private(self.ignore, IGNORE)
            self.ignore.chmod(PUBLIC)
        elif self.password is not None:
            self.ignore.unlink(missing_ok=True)
        certificate.unlink(missing_ok=True)
        write_private(key, encrypt(issued.key, self.password) if self.password else issued.key)
        write_private(certificate, issued.certificate)
        os.chmod(certificate, PUBLIC)
