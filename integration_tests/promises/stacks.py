"""The stacks that are up: tests of one variant share its containers, as long as each leaves them at rest."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from bench.disk import Disk
from bench.rest import at_rest
from bench.run import Run
from bench.stack import Stack
from bench.stage import Variant, stage
from engine.errors import NotPossible
from engine.matrix import Combination

MOST = 3  # at once: an idle worker takes memory, and little else


class Stacks:
    """Stacks by variant, the longest unused given up first."""

    def __init__(self, run: Run, images: Mapping[str, str], combination: Combination) -> None:
        """Nothing is started yet."""
        self._run = run
        self._images = images
        self._combination = combination
        self._there: OrderedDict[str, Stack] = OrderedDict()
        self._keys: dict[int, str] = {}

    def take(self, variant: Variant) -> Stack:
        """Return the stack of a variant, started if it is not there.

        Raises:
            NoDisk: where a disk is wanted and cannot be had.
        """
        found = self._there.pop(variant.key, None)
        if found is None:
            while len(self._there) >= MOST:
                self._there.popitem(last=False)[1].close()
            disk = Disk(self._run.folder / f"disk-{variant.key}") if variant.disk else None
            staged = stage(self._run, variant, self._images_for(variant))
            found = Stack(self._run, staged, disk=disk, idle=variant.idle)
        self._keys[id(found)] = variant.key
        for history in found.histories():
            history.write_text("")
        return found

    def _images_for(self, variant: Variant) -> Mapping[str, str]:
        """Return the images of this run; of another transport where the test asks for one."""
        transport = variant.settings.get("celery_transport", self._combination.transport)
        if transport == self._combination.transport:
            return self._images
        return replace(self._combination, python="3.13", transport=transport).settings(self._run.client)

    def give_back(self, stack: Stack, *, reuse: bool) -> None:
        """Keep a stack for the next test; one that is not at rest, or shall not be used again, is removed."""
        key = self._keys.pop(id(stack))
        with contextlib.suppress(NotPossible):
            if reuse:
                at_rest(stack)
                self._there[key] = stack
                return
        stack.close()

    def close(self) -> None:
        """Remove all."""
        while self._there:
            self._there.popitem()[1].close()
