"""Rules of access: passwords, users, and secrets in files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from settings.acl import BUILT_IN, required_users
from settings.fleet import Fleet
from settings.masking import SOUNDS_SECRET
from settings.rules.rule import ERROR, WARNING, Rule, Violation, repeated

ACL = "https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/"
MAKE_SECRETS = "run `make secrets ENV=...`"
SHORTEST_PASSWORD = 16
SECRET_VARIABLES = (
    "redis_passwords",
    "redis_previous_passwords",
    "redis_password",
    "redis_acl_users",
    "redis_managed_url",
    "celery_secret_environment",
    "celery_flower_password",
    "backup_copy_key",
)


def _passwords_given(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if not (host.instances or host.uses_celery or "sentinel" in host.raw.groups) or not host.redis.unmanaged:
            continue
        if host.redis.auth == "acl":
            missing = sorted(required_users(fleet) - set(host.redis.passwords))
            if missing:
                yield Violation(host, "redis_passwords", f"no password for {', '.join(missing)}")
        elif host.redis.auth == "password" and host.redis.password is None:
            yield Violation(host, "redis_password", "redis_auth is password, and there is none")


def _known_users(fleet: Fleet) -> Iterator[Violation]:
    known = f"use one of: {', '.join(BUILT_IN)}; other users go to redis_acl_users"
    for host in fleet:
        for variable, passwords in (
            ("redis_passwords", host.redis.passwords),
            ("redis_previous_passwords", host.redis.previous_passwords),
        ):
            for name in passwords:
                if name not in BUILT_IN:
                    yield Violation(host, variable, f"there is no built-in user {name!r}", (name,), "", known)


def _own_names(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        names = [user.name for user in host.redis.acl_users]
        for index, name in repeated(names):
            yield Violation(host, "redis_acl_users", f"two users are called {name}", (index, "name"), name)
        for index, name in enumerate(names):
            if name in (*BUILT_IN, "default"):
                yield Violation(host, "redis_acl_users", f"{name} is a built-in user", (index, "name"), name)


def _weak(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name, secret in host.redis.passwords.items():
            if len(secret) < SHORTEST_PASSWORD:
                message = f"the password of {name} has fewer than {SHORTEST_PASSWORD} characters"
                yield Violation(host, "redis_passwords", message, (name,))
        for index, user in enumerate(host.redis.acl_users):
            if len(user.password) < SHORTEST_PASSWORD:
                message = f"the password of {user.name} has fewer than {SHORTEST_PASSWORD} characters"
                yield Violation(host, "redis_acl_users", message, (index, "password"))
        for variable, one in (
            ("redis_password", host.redis.password),
            ("celery_flower_password", host.celery.flower_password),
        ):
            if one and len(one) < SHORTEST_PASSWORD:
                yield Violation(host, variable, f"it has fewer than {SHORTEST_PASSWORD} characters")


def _shared(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        seen: dict[str, str] = {}
        for name, secret in host.redis.passwords.items():
            other = seen.setdefault(secret.get_secret_value(), name)
            if other != name:
                yield Violation(host, "redis_passwords", f"{name} and {other} have the same password", (name,))


@lru_cache(maxsize=256)
def readable_by_others_or_committed(path: str, _: int) -> bool:
    """Whether git tracks a file, or others on this machine may read it."""
    file = Path(path)
    if not file.is_file():
        return False
    if file.stat().st_mode & 0o044:
        return True
    try:
        tracked = subprocess.run(
            ["git", "-C", str(file.parent), "ls-files", "--error-unmatch", file.name],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except OSError:  # no git here: nothing is committed
        return False
    return tracked.returncode == 0


def _literal_secrets(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        for name in SECRET_VARIABLES:
            variable = host.raw.variables.get(name)
            for path in variable.literal_parts if variable else ():
                if path and path[-1] in ("name", "role"):
                    continue
                file = host.place(name, *path).rsplit(":", 1)[0]
                mode = Path(file).stat().st_mode if file and Path(file).is_file() else 0
                if readable_by_others_or_committed(file, mode):
                    message = "a secret stands in clear in a file that is committed or that others may read"
                    yield Violation(host, name, message, path)


def _managed_password(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        url = host.redis.managed_url.get_secret_value()
        if url and not urlsplit(url).password:
            yield Violation(host, "redis_managed_url", "it carries no password")


def _flower_password(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.members("flower"):
        if host.celery.flower_password is None:
            yield Violation(host, "celery_flower_password", "Flower can stop workers, and has no password")


def _environment(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet.celery_hosts():
        for name, value in host.celery.environment.items():
            if SOUNDS_SECRET.search(name) and not value.startswith("/"):  # the path of a file is no secret
                message = f"{name} sounds like a secret, and is shown in diffs and reports"
                yield Violation(host, "celery_environment", message, (name,))


def _users_apart(fleet: Fleet) -> Iterator[Violation]:
    for host in fleet:
        if host.instances and host.uses_celery and not host.stack.stack_root and host.celery.user == host.redis.user:
            message = f"workers run as {host.celery.user}, who may read and write the files of Redis"
            yield Violation(host, "celery_user", message, value=host.celery.user)


RULES = (
    Rule(
        id="passwords-given",
        severity=ERROR,
        says="Every built-in user has a password.",
        why="there are no default secrets",
        source="this repository",
        fix="run `make secrets ENV=...`, which writes them",
        check=_passwords_given,
        acceptable=False,
    ),
    Rule(
        id="passwords-known",
        severity=ERROR,
        says="Passwords belong to users that exist.",
        why="a misspelt user would keep its old password",
        source="this repository",
        fix="use a built-in user's name",
        check=_known_users,
        acceptable=False,
    ),
    Rule(
        id="acl-user-names",
        severity=ERROR,
        says="Users of redis_acl_users have names of their own.",
        why="Redis refuses an ACL file that names a user twice",
        source=ACL,
        fix="rename the user",
        check=_own_names,
        acceptable=False,
    ),
    Rule(
        id="password-length",
        severity=WARNING,
        says=f"A password has at least {SHORTEST_PASSWORD} characters.",
        why="Redis answers a million guesses per second",
        source=ACL,
        fix=MAKE_SECRETS,
        check=_weak,
    ),
    Rule(
        id="password-shared",
        severity=WARNING,
        says="Every user has a password of its own.",
        why="whoever knows one has the other's rights",
        source=ACL,
        fix=MAKE_SECRETS,
        check=_shared,
    ),
    Rule(
        id="literal-secret",
        severity=ERROR,
        says="No secret stands in clear in a committed or readable file.",
        why="history and backups keep it for ever",
        source="https://docs.ansible.com/ansible/latest/vault_guide/",
        fix="move it to a vault file (`make secrets ENV=...`), or make a private file mode 0600 and untracked",
        check=_literal_secrets,
    ),
    Rule(
        id="managed-password",
        severity=WARNING,
        says="A managed Redis asks for a password.",
        why="every tenant of the network could read the queues",
        source=ACL,
        fix="write rediss://user:password@host:port/db",
        check=_managed_password,
    ),
    Rule(
        id="flower-password",
        severity=ERROR,
        says="Flower asks for a password.",
        why="its page can shut workers down and shows arguments",
        source="https://flower.readthedocs.io/en/latest/auth.html",
        fix="set celery_flower_password",
        check=_flower_password,
    ),
    Rule(
        id="environment-secret",
        severity=WARNING,
        says="Secrets of the workers stand in celery_secret_environment.",
        why="celery_environment is printed, diffed and world-readable in the inventory",
        source="this repository",
        fix="move it to celery_secret_environment",
        check=_environment,
    ),
    Rule(
        id="users-apart",
        severity=WARNING,
        says="Redis and the workers run as different users.",
        why="a task that is taken over could read every password hash and overwrite the AOF",
        source="https://redis.io/docs/latest/operate/oss_and_stack/management/security/",
        fix="give celery_user a name of its own",
        check=_users_apart,
    ),
)
