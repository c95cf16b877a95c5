"""Command line: `python -m loadtests.scaling INVENTORY`, which is `make scaling`."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING

from redis import RedisError

from bench.stage import NotStaged
from engine.errors import NotPossible
from loadtests.generator.target import NoTarget

if TYPE_CHECKING:
    from loadtests.scaling.outcome import Outcome

REFUSED, WRONG, INTERRUPTED = 2, 1, 130
JSON = "scaling.json"


def main() -> int:
    """Sweep; return 0 if the prediction holds, 1 if it does not, 2 where nothing can be told, 130 on Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us, the containers go
    try:
        return _sweep()
    except (NotPossible, NotStaged, NoTarget) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except RedisError as error:
        print(f"Redis refused or went away while it was measured: {error}.", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\ninterrupted: nothing was decided.", file=sys.stderr)
        return INTERRUPTED


def _sweep() -> int:
    from loadtests.scaling.plan import read

    plan = read()
    from bench.run import Run
    from engine.daemon import engine
    from engine.matrix import combinations
    from loadtests.scaling.sweep import Sweep
    from loadtests.scaling.tell import tell, write_page

    first, *others = combinations(plan.matrix)
    if others:
        raise NotPossible(f"MATRIX={plan.matrix!r}: a sweep is of one combination: name one value each.")
    if first.transport != "redis":
        raise NotPossible(
            f"MATRIX={plan.matrix!r}: the generator writes the messages of the transport redis only: leave it out."
        )
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {text}", flush=True)

    print(plan.command, flush=True)
    client = engine()
    with Run(client) as run:
        outcome = Sweep(plan, run, first.settings(client), say).measure()
    outcome.write(plan.folder / JSON)
    page = write_page(outcome, plan.folder, f"{plan.outage:g}")
    print()
    tell(outcome, f"{plan.outage:g}")
    print(f"in {time.monotonic() - began:.0f} s; {plan.folder / JSON}, {page}")
    return code(outcome)


def code(outcome: Outcome) -> int:
    """Return what a sweep exits with."""
    if outcome.refusal:
        return REFUSED
    return 0 if outcome.holds else WRONG


if __name__ == "__main__":
    sys.exit(main())
