"""Does Redis let in whom the settings name, and nobody else, with the rights of the settings?"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import redis

from settings.acl import required_users, users
from verify.clients import login
from verify.compare import Rights, rights, rules_and_hashes
from verify.model import Hint, Outcome, Promise, Row, Status, broken, kept, unchecked
from verify.server import Reply, Server, ping, silence
from verify.words import plural, seconds

ANONYMOUS = Promise("security.anonymous", "refuses a client without a password", ("redis_auth",), "the refusal")
WRONG = Promise("security.wrong-password", "refuses a wrong password", ("redis_auth", "redis_passwords"), "the refusal")
LOGIN = Promise("security.login", "lets the user in with its password", ("redis_passwords",), "time of a PING")
RIGHTS = Promise(
    "security.rights",
    "gives its users the rights of the settings",
    ("redis_passwords", "redis_acl_users", "celery_queues"),
    "users compared",
)
PROMISES = (ANONYMOUS, WRONG, LOGIN, RIGHTS)

NO_AUTH = "redis_auth is none: everybody who reaches it may do everything"


def check(server: Server, needs: Iterable[Row], explained_by: Iterable[Row]) -> dict[str, Row]:
    """Judge an instance; return user → the row that tells whether it may log in."""
    board, host = server.board, server.host
    judge = partial(board.judge, needs=needs, explained_by=explained_by)
    if host.redis.auth == "none":
        judge(ANONYMOUS, server.name, lambda: unchecked(NO_AUTH))
        return {}
    judge(ANONYMOUS, server.name, partial(_anonymous, server))
    judge(WRONG, server.name, partial(_wrong_password, server))
    if host.redis.auth == "password":
        row = judge(LOGIN, f"default at {server.name}", partial(_login, server, "default"))
        return dict.fromkeys(required_users(server.fleet), row)
    logins = {
        user: judge(LOGIN, f"{user} at {server.name}", partial(_login, server, user))
        for user in sorted(required_users(server.fleet))
        if user in host.redis.passwords
    }
    admin = [logins["admin"]] if "admin" in logins else []
    ask = partial(_rights, server, logins)
    board.judge_each(RIGHTS, server.name, ask, needs=[*needs, *admin], explained_by=explained_by)
    return logins


def _anonymous(server: Server) -> Outcome:
    reply = ping(server.client({}))
    if not reply.admitted:
        return _refused(server, reply)
    return broken(
        "let in",
        Hint(
            "a client without a password was let in",
            "whether the user default is on",
            server.cli("ACL GETUSER default") + f"; then {server.words.make('deploy')}",
        ),
    )


def _refused(server: Server, reply: Reply) -> Outcome:
    """Tell a refusal, which is due, from silence, which proves nothing."""
    if reply.answered:
        return kept(reply.error)
    return broken("silent", Hint(silence(reply), server.cli("PING"), server.words.make("verify")))


def _wrong_password(server: Server) -> Outcome:
    user = {"username": "worker"} if server.host.redis.auth == "acl" else {}
    reply = ping(server.client({**user, "password": secrets.token_hex(16)}))
    if not reply.admitted:
        return _refused(server, reply)
    return broken(
        "let in",
        Hint(
            "a random password was accepted",
            "whether the user has nopass",
            server.cli("ACL LIST") + f"; then {server.words.make('deploy')}",
        ),
    )


def _login(server: Server, user: str) -> Outcome:
    reply = ping(server.client(login(server.host, user)))
    if reply.admitted:
        return kept(seconds(reply.seconds))
    look = f"whether somebody changed it in Redis: {server.cli(f'ACL GETUSER {user}')}"
    return broken(
        "refused",
        Hint(
            f"{reply.error}; due is the password in redis_passwords",
            look,
            server.words.make("deploy") + ", which writes and loads the users of the settings",
        ),
    )


def _rights(server: Server, logins: dict[str, Row]) -> Iterator[tuple[str, Outcome]]:
    """One row where all users are right, one per user that is not."""
    found = list(_differing(server, logins))
    if not found:
        yield server.name, kept(f"{plural(len(users(server.fleet, server.host, server.instance)), 'user')} as written")
    for user, hint in found:
        yield f"{user} at {server.name}", broken("other rights", hint)


def _differing(server: Server, logins: dict[str, Row]) -> Iterator[tuple[str, Hint]]:
    due = {user.name: user.line for user in users(server.fleet, server.host, server.instance)}
    running: list[str] = server.acl("USERS")
    fix = server.words.make("deploy") + ", which loads the users of the settings"
    for name in sorted(set(running) - set(due)):
        if not name.startswith(SCRATCH):
            yield name, Hint("it is not in the settings", server.cli(f"ACL GETUSER {name}"), fix)
    for name, line in due.items():
        if name not in running:
            yield name, Hint("it is missing in Redis", server.cli("ACL USERS"), fix)
            continue
        refused = name in logins and logins[name].status is Status.FAILED  # its password is told there
        words = _compared(server, name, line, passwords=not refused)
        if words:
            yield name, Hint(words, server.cli(f"ACL GETUSER {name}"), fix)


SCRATCH = "verify-scratch-"


def _compared(server: Server, name: str, line: str, *, passwords: bool) -> str:
    """Say in what a user differs from its line; empty if in nothing."""
    rules, hashes, enabled = rules_and_hashes(line)
    running = rights(server.acl("GETUSER", name))
    due = canonical(server.admin, rules)
    words = []
    if ("on" in running.flags) != enabled:
        words.append(f"it is {'on' if 'on' in running.flags else 'off'}")
    if running.rules != due.rules or running.flags - {"on", "off"} != due.flags - {"on", "off"}:
        words.append("its keys, channels or commands were changed")
    if passwords and running.passwords != hashes:
        more, less = len(running.passwords - hashes), len(hashes - running.passwords)
        words.append(f"it has {plural(more, 'password')} that the settings do not name and lacks {less}")
    return "; ".join(words)


def canonical(admin: redis.Redis, rules: list[str]) -> Rights:
    """Let Redis write rules in its own order, on a user that is off and has no password: nobody can use it."""
    scratch = SCRATCH + secrets.token_hex(4)
    transaction: Any = admin.pipeline(transaction=False)
    transaction.execute_command("ACL", "SETUSER", scratch, "reset", *rules, "off")
    transaction.execute_command("ACL", "GETUSER", scratch)
    transaction.execute_command("ACL", "DELUSER", scratch)
    replies = transaction.execute()
    return rights(replies[1])
