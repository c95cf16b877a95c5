"""A variant that several suites share: everything that a test would wait for comes soon."""

from __future__ import annotations

from integration_tests.promise import variant

VISIBILITY, HARD, SOFT, EXPIRES = 3, 2, 1, 4  # seconds; in this order, as the rules ask
SHORT = variant(
    celery_visibility_timeout=VISIBILITY,
    celery_task_time_limit=HARD,
    celery_task_soft_time_limit=SOFT,
    celery_result_expires=EXPIRES,
    celery_task_acks_on_timeout=False,
)
