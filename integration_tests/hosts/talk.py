"""Asking the Redis of a host on that host, as one of its users."""

from __future__ import annotations

from integration_tests.hosts.fleet import Fleet

REDIS_HOSTS = ("redis-1", "redis-2")


def cli(fleet: Fleet, host: str, user: str, words: str = "", *, lines: str = "") -> str:
    """Run redis-cli on a host; return what it prints.

    Args:
        fleet: the hosts.
        host: where; its Redis listens on loopback as well.
        user: a built-in one.
        words: the command.
        lines: a shell command that prints commands, one a line.
    """
    login = f"REDISCLI_AUTH={fleet.machine['redis_passwords'][user]} redis-cli --no-auth-warning --user {user}"
    return fleet.on(host, f"{lines} | {login}" if lines else f"{login} {words}").output.strip()


def repeat(fleet: Fleet, host: str, user: str, command: str, count: int) -> list[str]:
    """Run a command that names $i for 1 to `count`; return the answers."""
    return cli(fleet, host, user, lines=f"for i in $(seq {count}); do echo {command}; done").splitlines()


def master(fleet: Fleet) -> str:
    """Return the host whose Redis is the master."""
    roles = {host: cli(fleet, host, "admin", "role").splitlines()[0] for host in REDIS_HOSTS}
    (found,) = [host for host, role in roles.items() if role == "master"]
    return found


def replication(fleet: Fleet, host: str) -> dict[str, str]:
    """Return what INFO says of replication."""
    lines = cli(fleet, host, "admin", "info replication").splitlines()
    return dict(line.strip().split(":", 1) for line in lines if ":" in line)
