"""One service of a host in a container: started, stopped, killed, paused and asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError
from docker.models.containers import Container
from testcontainers.core.container import DockerContainer

from bench.host import Failed, Host, Said, execute
from bench.run import Run
from bench.services import Service, environment
from engine.waiting import await_truth

KILLED = 137  # 128 + SIGKILL, as a shell has it


@dataclass(frozen=True)
class Process:
    """A process in a container, by its number there."""

    pid: int
    parent: int
    command: str


class Node:
    """A running service."""

    def __init__(self, run: Run, host: Host, service: Service, mounts: tuple[tuple[Path, str, str], ...] = ()) -> None:
        """Start the container; what it serves may not be ready yet.

        Args:
            run: whose labels it carries.
            host: whose network it joins.
            service: what runs.
            mounts: besides those of the service, or in their place where the path in the container is the same.
        """
        self.host = host
        self.service = service
        self.name = f"{service.name}@{host.name}"
        volumes = {there: (here, mode) for here, there, mode in (*service.volumes, *mounts)}
        label = f"{host.container.name}-{service.name}"
        box = DockerContainer(service.image, name=label, command=list(service.command)).with_kwargs(  # type: ignore[arg-type]
            labels=run.labels,
            network_mode=f"container:{host.container.id}",
            user=service.user,
            working_dir=service.working_dir,
            init=service.init,
            restart_policy={"Name": service.restart},
        )
        for there, (here, mode) in volumes.items():
            here.mkdir(parents=True, exist_ok=True)
            box.with_volume_mapping(str(here), there, mode)
        if service.env_file:
            box.with_envs(**environment(service.env_file))
        self.data = {there: here for there, (here, mode) in volumes.items() if mode == "rw"}
        self._box = box.start()

    @property
    def container(self) -> Container:
        """Docker's own view."""
        return self._box.get_wrapped_container()

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        self.container.reload()
        return str(self.container.status) == "running"

    @property
    def restarts(self) -> int:
        """How often the policy has started it again."""
        self.container.reload()
        return int(self.container.attrs["RestartCount"])

    @property
    def celery_name(self) -> str:
        """By which Celery knows a worker: worker@host."""
        words = self.service.command
        return words[words.index("--hostname") + 1]

    def logs(self) -> str:
        """Return everything that it has said."""
        return self.container.logs().decode(errors="replace")

    def execute(self, *words: str) -> Said:
        """Run a command beside the service."""
        return execute(self.container, list(words))

    def start(self) -> None:
        """Start it again after a stop or a kill."""
        self.container.start()

    def stop(self, grace: int | None = None) -> float:
        """Stop it with SIGTERM and, after its own grace or another one, SIGKILL; return how long it took, in s."""
        began = time.monotonic()
        self.container.stop(timeout=self.service.grace if grace is None else grace)
        return time.monotonic() - began

    def kill(self, signal: str = "KILL") -> None:
        """Send a signal to the service; KILL ends all its processes, and nobody starts it again."""
        self.container.kill(signal=f"SIG{signal}")

    def end_by(self, signal: str, seconds: float) -> None:
        """Send a signal to the main process and wait until it has ended by it; the restart policy starts it anew.

        Raises:
            NotPossible: if it still runs after so many seconds.
        """
        self.container.reload()
        began = self.container.attrs["State"]["StartedAt"]
        self.signal(self.main(), signal)  # not by Docker, which would take it for an operator's wish to stop

        def ended() -> bool:
            return not self.running or self.container.attrs["State"]["StartedAt"] != began

        await_truth(f"the end of {self.name} by SIG{signal}", ended, seconds)

    def pause(self) -> None:
        """Freeze all its processes."""
        self.container.pause()

    def resume(self) -> None:
        """Let it go on."""
        try:
            self.container.unpause()
        except APIError as error:
            if "is not paused" not in str(error):
                raise

    def processes(self) -> list[Process]:
        """Return its processes, oldest first."""
        listed = self.container.top(ps_args="-eo pid,ppid,args")["Processes"]
        inside = {int(pid): _inner(int(pid)) for pid, _, _ in listed}
        return sorted(
            (Process(inside[int(pid)], inside.get(int(parent), 0), command) for pid, parent, command in listed),
            key=lambda process: process.pid,
        )

    def main(self) -> int:
        """Return the number of the service's main process; where an init is process 1, that of its child."""
        first, *others = self.processes()
        return (
            next((one.pid for one in others if one.parent == first.pid), first.pid) if self.service.init else first.pid
        )

    def children(self) -> list[int]:
        """Return the children of the main process: those of a pool."""
        main = self.main()
        return [process.pid for process in self.processes() if process.parent == main]

    def signal(self, pid: int, signal: str = "KILL") -> None:
        """Send a signal to one process, by its number in the container.

        Raises:
            Failed: if it cannot be sent.
        """
        said = self.execute("sh", "-c", f"kill -{signal} {pid}")
        # The shell that sends it ends with the container, where that ends by it.
        if said.code not in (0, KILLED):
            raise Failed(f"{self.name}: kill -{signal} {pid} exited {said.code}: {said.output}")

    def remove(self) -> None:
        """Remove the container."""
        self._box.stop()


def _inner(pid: int) -> int:
    """Return the number that a process has in its own namespace."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:  # it ended meanwhile
        return -pid
    return int(next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1])
