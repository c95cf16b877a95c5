"""What a test proves: a promise with the settings it rests on, the fault it is put to, and the figure it must show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from bench.stage import Mutation, Variant

Test = TypeVar("Test", bound=Callable[..., object])


class BrokenPromise(AssertionError):  # noqa: N818 - it says what happened
    """The figure is not what was promised."""


@dataclass(frozen=True)
class Promise:
    """One row of docs/promises.md."""

    id: str
    says: str
    fault: str  # what it is put to; "none" where nothing is broken
    settings: tuple[str, ...]
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    mutations: tuple[Mutation, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a promise that nothing could break."""
        if self.at_most is None and self.at_least is None:
            raise ValueError(f"promise {self.id}: say at_most, at_least, or both")

    @property
    def required(self) -> str:
        """The bound in words."""
        if self.at_most == self.at_least:
            return f"{self.at_most:g} {self.unit}"
        words = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        words += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        return f"{', '.join(words)} {self.unit}"

    def kept(self, figure: float) -> bool:
        """Whether a figure keeps the promise; not-a-number never does."""
        above = self.at_least is None or figure >= self.at_least
        return above and (self.at_most is None or figure <= self.at_most)


@dataclass
class Proof:
    """Takes the figure of a test."""

    promise: Promise
    figure: float | None = None
    note: str = ""

    def __call__(self, figure: float, note: str = "") -> None:
        """Hold the figure against the promise.

        Args:
            figure: in the promise's unit.
            note: what the report should say beside it.

        Raises:
            BrokenPromise: if it is out of bounds.
        """
        self.figure, self.note = float(figure), note
        if not self.promise.kept(self.figure):
            raise BrokenPromise(
                f"{self.promise.says} Promised: {self.promise.required}; seen: {figure:g}. {note}".rstrip()
            )


def promise(
    id: str,
    says: str,
    *,
    fault: str,
    settings: tuple[str, ...],
    unit: str,
    at_most: float | None = None,
    at_least: float | None = None,
    exactly: float | None = None,
    mutations: tuple[Mutation, ...] = (),
) -> Callable[[Test], Test]:
    """Mark a test with the promise that it proves; it takes the fixture `proof` and gives it a figure.

    Args:
        id: short name, unique, never reused.
        says: the promise, as a sentence to an operator.
        fault: what it is put to.
        settings: that it rests on.
        unit: of the figure.
        at_most: bound of the figure.
        at_least: bound of the figure.
        exactly: both bounds: for a known loss, which must not change for better or worse unseen.
        mutations: each runs the same test on files in which the promise is broken, where it has to fail.
    """
    bounds = (exactly, exactly) if exactly is not None else (at_most, at_least)
    return pytest.mark.promise(Promise(id, says, fault, settings, unit, *bounds, mutations))


def variant(
    hosts: Mapping[str, Mapping[str, Any]] | None = None, *, idle: bool = False, disk: bool = False, **settings: Any
) -> pytest.MarkDecorator:
    """Mark a test, a parameter or a module with what it wants other than inventories/integration.

    Args:
        hosts: name → groups and vars, besides those there are.
        idle: no worker runs: what is sent stays in its queue.
        disk: Redis has its data on a disk that can lose its power or be full: the fixture `disk`.
        settings: other than those of the inventory.
    """
    return pytest.mark.variant(hosts=hosts or {}, settings=settings, idle=idle, disk=disk)


def variant_of(item: pytest.Item, mutation: Mutation | None = None) -> Variant:
    """Return the variant that the marks of a test add up to; the closest mark wins."""
    settings: dict[str, Any] = {}
    hosts: dict[str, Any] = {}
    marks = list(item.iter_markers("variant"))
    for mark in reversed(marks):
        settings |= mark.kwargs["settings"]
        hosts |= mark.kwargs["hosts"]
    idle, disk = (any(mark.kwargs[name] for mark in marks) for name in ("idle", "disk"))
    return Variant(settings, hosts, mutation, idle, disk)


def promise_of(item: pytest.Item) -> Promise | None:
    """Return what a test proves."""
    mark = item.get_closest_marker("promise")
    found: Promise | None = mark.args[0] if mark else None
    return found
