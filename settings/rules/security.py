"""Rules of access: passwords, open addresses, TLS, secrets in files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from settings.acl import BUILT_IN, required_users
from settings.fleet import Fleet, HostSettings
from settings.rules.rule import ERROR, WARNING, Rule, Violation

ACL = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/"
TLS = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/"
SHORTEST_PASSWORD = 16
LOOPBACK = ("127.", "::1", "localhost", "-::1")
SECRET_VARIABLES = (
    "redis_passwords",
    "redis_previous_passwords",
    "redis_password",
    "redis_acl_users",
    "redis_managed_url",
    "sentinel_password",
    "celery_secret_environment",
    "celery_flower_password",
)


def _open_addresses(host: HostSettings) -> Iterator[tuple[str, str, int]]:
    for instance in host.instances:
        for address in instance.bind:
            if not address.startswith(LOOPBACK):
                yield instance.name, address, instance.tls_port


def _open_without_password(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name, address, _ in _open_addresses(host):
            if host.redis.auth == "none":
                yield Violation(host, "redis_auth", f"{name} listens on {address} and lets everybody in", value="none")


def _open_without_tls(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for instance in host.instances:
            far = [address for address in instance.bind if not address.startswith(LOOPBACK)]
            if far and (instance.port or not instance.tls_port):
                yield Violation(host, "redis_bind", f"{instance.name} speaks clear text on {', '.join(far)}", value=", ".join(far))


def _tls_files(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for instance in host.instances:
            if instance.tls_port:
                for option in ("tls_cert_file", "tls_key_file", "tls_ca_cert_file"):
                    if not getattr(instance, option):
                        yield Violation(host, f"redis_{option}", f"{instance.name} has tls_port {instance.tls_port} and no {option}", value='""')


def _passwords_given(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if not (host.instances or host.uses_celery) or host.redis.managed_url:
            continue
        if host.redis.auth == "acl":
            missing = sorted(required_users(fleet) - set(host.redis.passwords))
            if missing:
                yield Violation(host, "redis_passwords", f"no password for {', '.join(missing)}")
        elif host.redis.auth == "password" and host.redis.password is None:
            yield Violation(host, "redis_password", "redis_auth is password, and there is none")


def _known_users(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for variable, passwords in (("redis_passwords", host.redis.passwords), ("redis_previous_passwords", host.redis.previous_passwords)):
            for name in passwords:
                if name not in BUILT_IN:
                    yield Violation(host, variable, f"there is no built-in user {name!r}", (name,), "", f"use one of: {', '.join(BUILT_IN)}; other users go to redis_acl_users")


def _weak(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name, secret in host.redis.passwords.items():
            if len(secret.get_secret_value()) < SHORTEST_PASSWORD:
                yield Violation(host, "redis_passwords", f"the password of {name} has fewer than {SHORTEST_PASSWORD} characters", (name,))
        if host.redis.password and len(host.redis.password.get_secret_value()) < SHORTEST_PASSWORD:
            yield Violation(host, "redis_password", f"it has fewer than {SHORTEST_PASSWORD} characters")


def _shared(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        seen: dict[str, str] = {}
        for name, secret in host.redis.passwords.items():
            other = seen.setdefault(secret.get_secret_value(), name)
            if other != name:
                yield Violation(host, "redis_passwords", f"{name} and {other} have the same password", (name,))


@lru_cache(maxsize=256)
def _readable_by_others_or_committed(path: str) -> bool:
    """A file that git tracks, or that others on this machine may read."""
    file = Path(path)
    if not file.is_file():
        return False
    if file.stat().st_mode & 0o044:
        return True
    tracked = subprocess.run(  # noqa: S603
        ["git", "-C", str(file.parent), "ls-files", "--error-unmatch", file.name],  # noqa: S607
        capture_output=True,
        check=False,
    )
    return tracked.returncode == 0


def _literal_secrets(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name in SECRET_VARIABLES:
            variable = host.raw.variables.get(name)
            for path in variable.literal_parts if variable else ():
                if path and path[-1] in ("name", "role"):
                    continue
                place = host.place(name, *path)
                if place and _readable_by_others_or_committed(place.rsplit(":", 1)[0]):
                    yield Violation(host, name, "a secret stands in clear in a file that is committed or that others may read", path)


def _managed_tls(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        url = urlsplit(host.redis.managed_url)
        if url.scheme == "redis" and not (url.hostname or "").startswith(LOOPBACK):
            yield Violation(host, "redis_managed_url", f"the way to {url.hostname} is in clear text")


def _managed_password(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.redis.managed_url and not urlsplit(host.redis.managed_url).password:
            yield Violation(host, "redis_managed_url", "it carries no password")


def _flower_password(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("flower"):
        if host.celery.flower_password is None:
            yield Violation(host, "celery_flower_password", "Flower can stop workers, and has no password")


RULES = (
    Rule("open-without-password", ERROR, "An address beyond loopback asks for a password.", "an open Redis is taken over within hours", "https://redis.io/docs/latest/operate/oss_and_stack/management/security/", "set redis_auth: acl", _open_without_password),
    Rule("open-without-tls", ERROR, "An address beyond loopback speaks TLS.", "passwords and tasks cross the network in clear text", TLS, "set tls_port and port: 0, or accept the risk where the network itself is private", _open_without_tls),
    Rule("tls-files", ERROR, "A TLS port has its certificate, key and authority.", "Redis refuses to start", TLS, "name the files", _tls_files, acceptable=False),
    Rule("passwords-given", ERROR, "Every built-in user has a password.", "there are no default secrets", "this repository", "run `make secrets ENV=...`, which writes them", _passwords_given, acceptable=False),
    Rule("passwords-known", ERROR, "Passwords belong to users that exist.", "a misspelt user would keep its old password", "this repository", "use a built-in user's name", _known_users, acceptable=False),
    Rule("password-length", WARNING, f"A password has at least {SHORTEST_PASSWORD} characters.", "Redis answers a million guesses per second", ACL, "run `make secrets ENV=...`", _weak),
    Rule("password-shared", WARNING, "Every user has a password of its own.", "whoever knows one has the other's rights", ACL, "run `make secrets ENV=...`", _shared),
    Rule("literal-secret", ERROR, "No secret stands in clear in a committed or readable file.", "history and backups keep it for ever", "https://docs.ansible.com/ansible/latest/vault_guide/", "move it to a vault file (`make secrets ENV=...`), or make a private file mode 0600 and untracked", _literal_secrets),
    Rule("managed-tls", ERROR, "A managed Redis is reached by TLS.", "passwords and tasks cross the network in clear text", TLS, "write rediss://", _managed_tls),
    Rule("managed-password", WARNING, "A managed Redis asks for a password.", "every tenant of the network could read the queues", ACL, "write rediss://user:password@host:port/db", _managed_password),
    Rule("flower-password", ERROR, "Flower asks for a password.", "its page can shut workers down and shows arguments", "https://flower.readthedocs.io/en/latest/auth.html", "set celery_flower_password", _flower_password),
)
