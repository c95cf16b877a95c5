"""The reference Celery application: deployed by Ansible, probed by `make verify`."""
