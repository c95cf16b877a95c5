"""Containers for the tests and for trying the roles: Docker, images, and hosts with systemd and SSH."""
