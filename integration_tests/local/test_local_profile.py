"""A profile is more than a table: what it gives runs, and `make verify` holds the workers to it."""

from __future__ import annotations

from integration_tests.local.clone import Clone

# One group to which no limit applies, one to which the inventory's do.
THROUGHPUT = """\
celery_profile: throughput
celery_workers:
  - {name: fast, queues: [fast], time_limit: 0, soft_time_limit: 0}
  - {name: slow, queues: [slow]}
"""


def test_a_profile_that_is_deployed_runs_as_it_says_and_is_verified(stack: Clone) -> None:
    """throughput: three solo workers where no limit is promised, two with one child each where one is; safe again after it."""
    stack.override_file.write_text(THROUGHPUT)
    stack.make("deploy", "ENV=local")
    rows = stack.verify()
    assert {row["status"] for row in rows} == {"passed"}
    pools = {row["subject"].split("@")[0]: row["figure"] for row in rows if row["id"] == "workers.pool"}
    assert pools == {
        "fast-1": "solo, 1 slot",
        "fast-2": "solo, 1 slot",
        "fast-3": "solo, 1 slot",
        "slow-1": "prefork, 1 slot",
        "slow-2": "prefork, 1 slot",
    }
    commands = [process.command for process in stack.processes() if " worker --hostname " in process.command]
    assert commands
    assert all("--loglevel WARNING" in command for command in commands)

    stack.override_file.unlink()
    stack.make("deploy", "ENV=local")
    assert {row["figure"] for row in stack.verify() if row["id"] == "workers.pool"} == {
        "prefork, 2 slots",
        "prefork, 1 slot",
    }
