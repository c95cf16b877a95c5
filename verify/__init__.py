"""`make verify`: does the running Redis and Celery keep what the settings promise?"""
