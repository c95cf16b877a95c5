"""Rules of certificates: each is there, lasts, is its owner's alone, and is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from settings.addresses import bare
from settings.fleet import Fleet, HostSettings
from settings.places import short
from settings.rules.access import readable_by_others_or_committed
from settings.rules.rule import ERROR, WARNING, Rule, Violation, at_instance, each_instance
from settings.tls import OPERATOR, Store, copied, is_client, is_server, reached, speaks_tls, store
from settings.vaults import is_encrypted

TLS = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/"
DECISION = "docs/decisions/010-certificates-stay-with-the-operator.md"
NAMED = 4  # missing files; more are counted
MAKE = "run `make certificates ENV=...`"


def _due_files(fleet: Fleet) -> Iterator[tuple[HostSettings, Path]]:
    """Yield every certificate and key that the deploy copies, once, with a host that needs it."""
    seen: set[Path] = set()
    for host in fleet:
        place = store(host)
        needs: list[Path] = []
        if not copied(host):
            continue
        if is_server(fleet, host):
            needs += place.server(host.name)
        if is_client(fleet, host):
            needs += [*place.client(host.name), *(() if host.tls.operator_cert_file else place.client(OPERATOR))]
        if needs or reached(fleet, host):
            needs.insert(0, place.authority)
        for path in needs:
            if path not in seen:
                seen.add(path)
                yield host, path


def _files(fleet: Fleet) -> Iterator[Violation]:
    missing: dict[Store, list[tuple[HostSettings, Path]]] = {}
    for host, path in _due_files(fleet):
        if not path.is_file():
            missing.setdefault(store(host), []).append((host, path))
    for place, found in missing.items():
        host = found[0][0]
        names = [str(path.relative_to(place.folder)) for _, path in found]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        fix = MAKE if host.tls.source == "generated" else "put them there, or write tls_source: generated"
        message = f"{short(place.folder)} lacks {', '.join(names[:NAMED])}{more}"
        yield Violation(host, "tls_source", message, value=host.tls.source, fix=fix)


def _expiry(fleet: Fleet) -> Iterator[Violation]:
    from settings.certificates import BadCertificateError, days_left, now, read_certificates

    for host, path in _due_files(fleet):
        if path.suffix != ".crt" or not path.is_file():
            continue
        try:
            left = min(days_left(one, now()) for one in read_certificates(path.read_text(encoding="utf-8")))
        except (BadCertificateError, UnicodeDecodeError):
            yield Violation(host, "tls_source", f"{short(path)} holds no certificate in PEM", where=short(path))
            continue
        own = path == store(host).authority
        least = host.tls.renew_days if own else host.tls.least_days  # an authority takes three deploys to replace
        if left < least:
            said = f"it ends in {left:.1f} days" if left > 0 else f"it ended {-left:.1f} days ago"
            generated = host.tls.source == "generated"
            fix = (MAKE[:-1] + " NEXT=1`" if own else MAKE) if generated else "put a newer one there"
            variable = "tls_renew_days" if own else "tls_least_days"
            yield Violation(host, variable, f"{short(path)}: {said}", value=str(least), where=short(path), fix=fix)


def _keys(fleet: Fleet) -> Iterator[Violation]:
    places = {store(host): host for host in fleet if copied(host)}
    keys = [(host, path) for host, path in _due_files(fleet) if path.suffix == ".key"]
    keys += [(host, place.authority_key) for place, host in places.items()]
    for host, path in keys:
        if not path.is_file():
            continue
        if not is_encrypted(path) and readable_by_others_or_committed(str(path), path.stat().st_mode):
            message = f"{short(path)} stands in clear, and git tracks it or others may read it"
            yield Violation(host, "tls_source", message, where=short(path))


def _times(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        tls = host.tls
        if tls.source == "generated" and not tls.least_days < tls.renew_days < tls.days <= tls.authority_days:
            message = (
                f"tls_least_days {tls.least_days}, tls_renew_days {tls.renew_days}, tls_days {tls.days} and "
                f"tls_authority_days {tls.authority_days} do not rise"
            )
            yield Violation(host, "tls_renew_days", message, value=str(tls.renew_days))


def _client_files(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        if copied(host) or not is_client(fleet, host):
            continue
        for option in ("tls_cert_file", "tls_key_file"):
            if not getattr(host.celery, option):
                names = ", ".join(one.name for one in reached(fleet, host) if one.tls_auth_clients == "yes")
                yield Violation(host, f"celery_{option}", f"{names} asks clients for a certificate", value='""')


def _overruled(fleet: Fleet) -> Iterator[Violation]:
    for host, index, instance in each_instance(fleet):
        for option in ("tls_cert_file", "tls_key_file", "tls_ca_cert_file"):
            if copied(host) and instance.tls_port and getattr(instance, option):
                message = f"tls_source is {host.tls.source}: this file is not used"
                yield at_instance(host, index, option, message, value=getattr(instance, option))


def _used(fleet: Fleet) -> Iterator[Violation]:
    if speaks_tls(fleet):
        return
    for host in fleet:
        if host.instances and copied(host):
            yield Violation(host, "tls_source", "no Redis has a tls_port: nothing is encrypted", value=host.tls.source)


def _replication(fleet: Fleet) -> Iterator[Violation]:
    masters = {
        (bare(address), port): instance
        for owner in fleet
        for instance in owner.instances
        for address in (owner.address, owner.redis.advertise_address, owner.name)
        for port in (instance.port, instance.tls_port)
        if address and port
    }
    for host, index, instance in each_instance(fleet):
        if not instance.replicaof:
            continue
        address, port = instance.replicaof.rsplit(" ", 1)
        master = masters.get((bare(address), int(port)))
        if master is None:
            continue  # replica-master says so
        secure = int(port) == master.tls_port
        if secure != bool(instance.tls_port):
            message = (
                f"port {port} of {master.name} speaks TLS, and this replica has no tls_port"
                if secure
                else f"a replica with a tls_port asks its master by TLS, and port {port} does not speak it"
            )
            yield at_instance(host, index, "replicaof", message, value=instance.replicaof)


RULES = (
    Rule(
        id="tls-certificates",
        severity=ERROR,
        says="Every certificate and key that the deploy copies is there.",
        why="Redis refuses to start without, and clients cannot connect",
        source=DECISION,
        fix=MAKE,
        check=_files,
        acceptable=False,
    ),
    Rule(
        id="tls-expiry",
        severity=ERROR,
        says="Certificates on the controller last at least `tls_least_days`.",
        why="from its last day on nobody can connect",
        source=DECISION,
        fix=MAKE,
        check=_expiry,
    ),
    Rule(
        id="tls-key-private",
        severity=ERROR,
        says="No private key stands in clear in a committed or readable file.",
        why="whoever has it is the server",
        source=DECISION,
        fix="encrypt it with ansible-vault, or make it mode 0600 and untracked",
        check=_keys,
    ),
    Rule(
        id="tls-times",
        severity=ERROR,
        says="Renewal comes before the alarm, and both within the life of a certificate.",
        why="every deploy would renew everything, or none would in time",
        source=DECISION,
        fix="let tls_least_days, tls_renew_days, tls_days and tls_authority_days rise",
        check=_times,
        acceptable=False,
    ),
    Rule(
        id="tls-client-files",
        severity=ERROR,
        says="Workers have a certificate where Redis asks for one.",
        why="the server's own key is not theirs to read",
        source=TLS,
        fix="name the files on the worker hosts, write tls_source: generated, or redis_tls_auth_clients: no",
        check=_client_files,
        acceptable=False,
    ),
    Rule(
        id="tls-overruled",
        severity=WARNING,
        says="Files on the hosts are named only where `tls_source` is host.",
        why="the deploy brings others, and names those",
        source=DECISION,
        fix="delete the line, or write tls_source: host",
        check=_overruled,
    ),
    Rule(
        id="tls-used",
        severity=WARNING,
        says="Where certificates are brought, some Redis speaks TLS.",
        why="tls_source alone encrypts nothing",
        source=TLS,
        fix="set redis_tls_port, and redis_port: 0",
        check=_used,
    ),
    Rule(
        id="tls-replication",
        severity=ERROR,
        says="Replica and master agree on TLS.",
        why="the replica would copy nothing",
        source=TLS,
        fix="name the master's tls_port, and give both one",
        check=_replication,
        acceptable=False,
    ),
)
