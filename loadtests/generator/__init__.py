"""The Celery user for Locust: writes Celery's messages itself, and awaits results over one subscription per process."""
