"""A Redis that somebody else runs, and what stands in the way of asking an application."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from verify.board import Board
from verify.checks.redis_server import ANSWERS, CONFIG
from verify.context import Target
from verify.expected import Application
from verify.model import Hint, Outcome, Promise, Row, broken, kept, unchecked
from verify.server import ping, silence
from verify.words import seconds

REACHED = Promise(
    "workers.reached", "the application can be asked", ("celery_transport", "celery_broker_instance"), "the transport"
)
PROMISES = (REACHED,)


def check(target: Target) -> Row:
    """Judge whether a managed Redis answers; its configuration is its owner's."""
    host = target.application.host
    name = urlsplit(host.redis.managed_url.get_secret_value()).hostname or "managed"
    row = target.board.judge(ANSWERS, name, partial(_answers, target, name))
    target.board.add(
        Row(CONFIG, name, unchecked("redis_managed_url: its configuration, rights and files are its owner's"))
    )
    return row


def _answers(target: Target, name: str) -> Outcome:
    reply = ping(target.answers.store)
    if reply.admitted:
        return kept(seconds(reply.seconds))
    found = reply.error if reply.answered else silence(reply)
    return broken(
        "refused" if reply.answered else "silent",
        Hint(
            f"{name}: {found}",
            "its provider's console, and redis_managed_url",
            target.words.make("deploy") + ", if the URL changed",
        ),
    )


def no_transport(board: Board, application: Application, error: ModuleNotFoundError) -> None:
    """Say that this machine lacks the transport of the application."""
    board.add(
        Row(
            REACHED,
            application.name,
            unchecked(
                f"{error.name} is not installed where verify runs, and needs Python 3.13 there: "
                "make verify PYTHON=python3.13 VENV=.venv313 asks the application, too"
            ),
        )
    )
