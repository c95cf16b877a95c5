"""The tests' side of bench/agent.py."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.utils.socket import frames_iter

from bench.host import Failed
from bench.run import Run
from bench.services import Service, environment
from bench.stage import Staged
from settings.endpoints import broker_url, result_url
from verify.keys import url_in_clear

PROGRAM = Path(__file__).with_name("agent.py")


class Agent:
    """A client of a stack in a container of its own: it outlives the workers, and no cut of their hosts reaches it."""

    def __init__(self, run: Run, staged: Staged, worker: Service, user: str) -> None:
        """Start it.

        Args:
            run: owns the container.
            staged: rendered files.
            worker: whose image, settings and environment it has.
            user: built-in user of Redis that it is, in place of the worker's.
        """
        host = staged.fleet.hosts[worker.host]
        urls = {
            "CELERY_BROKER_URL": url_in_clear(broker_url(staged.fleet, host, user)),
            "CELERY_RESULT_BACKEND": url_in_clear(result_url(staged.fleet, host, user)),
        }
        words = worker.command
        program = str(Path(words[0]).with_name("python"))
        self._container = run.client.containers.create(
            worker.image,
            [program, "-c", PROGRAM.read_text(encoding="utf-8"), words[words.index("--app") + 1]],
            environment={**(environment(worker.env_file) if worker.env_file else {}), **urls},
            volumes=[f"{here}:{there}:ro" for here, there, mode in worker.volumes if mode == "ro"],
            user=worker.user,
            labels=run.labels,
            network=str(run.network.name),
            stdin_open=True,
            init=True,
        )
        self._socket: Any = self._container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        self._container.start()
        self._answers = self._lines()
        self._lock = threading.Lock()

    def _lines(self) -> Iterator[str]:
        rest = ""
        for _, data in frames_iter(self._socket, tty=False):  # type: ignore[no-untyped-call]
            *lines, rest = (rest + data.decode()).split("\n")
            yield from lines

    def ask(self, do: str, **words: Any) -> Any:
        """Have it do something, and return the answer; one request at a time.

        Args:
            do: name of a function of bench/agent.py.
            words: its arguments.

        Raises:
            Failed: if it raised there, or the agent has ended.
        """
        with self._lock:
            self._socket._sock.sendall(json.dumps({"do": do, **words}).encode() + b"\n")
            line = next(self._answers, None)
        if line is None:
            raise Failed(f"the agent has ended: {self._container.logs().decode(errors='replace')}")
        told = json.loads(line)
        if "error" in told:
            raise Failed(told["error"])
        return told["answer"]

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._container.remove(force=True)
