"""Load tests with Locust; see README.md. Importing this package imports no Locust and patches nothing."""
