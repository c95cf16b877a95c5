"""Are the files on the hosts those of the settings, and do the services run? Told by the evidence of a play."""

from __future__ import annotations

from collections.abc import Iterable

from settings.fleet import Fleet, HostSettings
from settings.problem import Problem
from verify.board import Board
from verify.evidence import Backup, Evidence, HostEvidence, Service
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.words import Words, plural

FILES = Promise("host.files", "files are as the settings render them", ("*",), "files compared")
SERVICE = Promise("host.service", "its manager keeps it running", ("process_manager",), "its state")
BACKUP = Promise(
    "host.backup",
    "its last backup is young enough",
    ("backup_enabled", "backup_at", "backup_max_age", "backup_copy_to"),
    "its age",
)
RISK = Promise("settings.risk", "a risk that the inventory accepts", ("accepted_risks",), "the reason")
PROMISES = (FILES, SERVICE, BACKUP, RISK)

NO_EVIDENCE = "not checked: no evidence was collected (make verify does, python -m verify takes --evidence)"
GROUPS = ("redis", "celery", "beat", "flower", "sentinel")
RUNNING = "running"


def check(board: Board, fleet: Fleet, evidence: Evidence | None, words: Words) -> None:
    """Judge files and services of every host that runs anything of the stack."""
    for host in fleet:
        if not set(GROUPS) & set(host.raw.groups):
            continue
        found = evidence.hosts.get(host.name) if evidence else None
        if evidence is None or found is None or not (found.files or found.services):
            for promise in (FILES, SERVICE, *([BACKUP] if host.backed_up else [])):
                board.add(Row(promise, host.name, unchecked(_reason(evidence))))
            continue
        _backups(board, host, found, words)
        board.add(Row(FILES, host.name, _files(found, words)))
        for service in found.services:
            look = words.service(host, service.name)
            board.add(Row(SERVICE, f"{service.name} on {host.name}", _service(service, look, words)))
        if not found.services:
            board.add(Row(SERVICE, host.name, unchecked("not checked: the evidence names no service of this host")))
            continue
        known = {plain(service.name) for service in found.services}
        for name in due(host):
            if name not in known:
                missing = Service(name=name, state="missing", detail="its manager does not know it")
                board.add(Row(SERVICE, f"{name} on {host.name}", _service(missing, words.service(host, name), words)))


def _backups(board: Board, host: HostSettings, found: HostEvidence, words: Words) -> None:
    """Judge the last backup of every instance that shall have one."""
    told = {backup.instance: backup for backup in found.backups}
    for instance in host.backed_up:
        outcome = _backup(told.get(instance.name, Backup(instance=instance.name)), host, words)
        board.add(Row(BACKUP, f"{instance.name} on {host.name}", outcome))


def _backup(backup: Backup, host: HostSettings, words: Words) -> Outcome:
    look = words.service(host, "backup-redis")
    do = words.make("backup")
    if backup.error:
        return broken("failed", Hint(f"the last try failed: {backup.error}", look, do))
    if backup.age is None:
        return broken("none", Hint("there never was a backup", look, do))
    if backup.age > host.backup.max_age:
        found = f"{backup.name} is {backup.age} s old, and {host.backup.max_age} s is the most"
        return broken(f"{backup.age} s", Hint(found, look, do))
    return kept(f"{backup.age} s" + (", copied off the host" if backup.copied else ""))


def plain(name: str) -> str:
    """Return a service's name as supervisor has it: celery-worker@fast-1.service is celery-worker-fast-1."""
    return name.removesuffix(".service").replace("@", "-")


def due(host: HostSettings) -> list[str]:
    """Return the services that the settings put on a host."""
    names = [f"redis-{instance.name}" for instance in host.instances]
    names += ["backup-redis"] if host.backed_up and host.stack.process_manager == "supervisor" else []
    names += [
        f"celery-worker-{worker.name}-{number}" for worker in host.workers for number in range(1, worker.processes + 1)
    ]
    names += ["sentinel"] if "sentinel" in host.raw.groups else []
    return names + [f"celery-{group}" for group in ("beat", "flower") if group in host.raw.groups]


def risks(board: Board, findings: Iterable[Problem]) -> None:
    """Show the risks that the inventory accepts: they are part of what a reader has to know."""
    for finding in findings:
        if finding.accepted:
            board.add(Row(RISK, finding.rule, Outcome(Status.ACCEPTED, f"{finding.message}: {finding.accepted}")))


def _reason(evidence: Evidence | None) -> str:
    if evidence is None:
        return NO_EVIDENCE
    if evidence.missing:
        return evidence.missing
    why = "the evidence has nothing of this host" if evidence.complete else "the play could not examine this host"
    return f"not checked: {why}"


def _files(found: HostEvidence, words: Words) -> Outcome:
    wrong = [file for file in found.files if file.state != "same"]
    if not found.files:
        return unchecked("not checked: the evidence names no file of this host")
    if not wrong:
        return kept(f"{plural(len(found.files), 'file')} as rendered")
    named = "; ".join(f"{file.path} {file.state}" for file in wrong)
    return broken(
        f"{len(wrong)} of {plural(len(found.files), 'file')}",
        Hint(named, f"what would change: {words.make('plan')}", words.make("deploy")),
    )


def _service(service: Service, look: str, words: Words) -> Outcome:
    if service.state.lower() == RUNNING:
        return kept(service.detail or RUNNING)
    found = f"{service.state}{f' ({service.detail})' if service.detail else ''}, and running is due"
    return broken(service.state, Hint(found, look, words.make("deploy") + ", which starts what shall run"))
