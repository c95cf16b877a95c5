"""What the profiles gain that `celery_profile` names; `python -m benchmarks.profiles` measures them alone."""
