"""The probe tasks. Importing this package registers all of them, with `tasks.app` or with any other app.

Every task is named `probe.<name>`, takes and returns JSON only, and runs under any pool. Times named `…_at`
are seconds since the epoch (comparable between hosts as far as their clocks are), `monotonic` is seconds
of the monotonic clock of one host.
"""

from tasks.probe import (
    basic,
    beat,
    broker,
    delivery,
    destructive,
    history,
    ledger,
    limits,
    progress,
    retry,
    work,
    workflow,
)

__all__ = [
    "basic",
    "beat",
    "broker",
    "delivery",
    "destructive",
    "history",
    "ledger",
    "limits",
    "progress",
    "retry",
    "work",
    "workflow",
]
