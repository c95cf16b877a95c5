"""The one description of a Redis + Celery deployment: what may be said, and what contradicts itself.

`settings.loader.load(path)` reads an inventory and returns a `Fleet` or every problem of it at once.
"""
