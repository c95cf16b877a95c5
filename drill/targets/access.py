"""Who may be drilled over SSH, and how he is reached."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from drill.targets.hosts import Hosts
from drill.targets.login import Logins
from engine.errors import NotPossible
from settings.fleet import Fleet
from settings.loader import InventoryRefused, load, load_unjudged
from verify.tunnel import NoTunnel, connections, tunnel


@contextlib.contextmanager
def hosts(inventory: Path) -> Iterator[Hosts]:
    """Yield the hosts of an inventory, as long as a tunnel to their Redis is open.

    Raises:
        NotPossible: if that must not be drilled, is refused, or a host cannot be reached.
    """
    try:
        may_be_hurt(inventory, load_unjudged(inventory))  # whatever else is wrong with production
        fleet = load(inventory).fleet
        with tempfile.TemporaryDirectory(prefix="drill-") as folder, tunnel(fleet, inventory, through(fleet)):
            logins = Logins(connections(inventory), Path(folder))
            try:
                yield Hosts(fleet, logins)
            finally:
                logins.close()
    except (InventoryRefused, NoTunnel) as error:
        raise NotPossible(str(error)) from None


def may_be_hurt(inventory: Path, fleet: Fleet) -> None:
    """Refuse what must not be drilled.

    Raises:
        NotPossible: naming the hosts.
    """
    closed = [host.name for host in fleet if not host.stack.stack_drill]
    if closed:
        raise NotPossible(
            f"{inventory}: {', '.join(closed)}: stack_drill is false, so no fault is let loose there; "
            "write `stack_drill: true` in the group_vars of a deployment that may be hurt, never of production."
        )
    others = [host.name for host in fleet if host.stack.process_manager != "systemd"]
    if others:
        raise NotPossible(f"{inventory}: {', '.join(others)} run under supervisor: a drill over SSH takes systemd.")


def through(fleet: Fleet) -> str:
    """Return the host that our tasks are sent through: one that nobody hurts, if there is one."""
    hurt = {host.name for host in fleet.members("celery")} | {host.name for host in fleet if host.instances}
    return next((host.name for host in fleet.celery_hosts() if host.name not in hurt), "")
