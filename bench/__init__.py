"""A staged inventory as containers: the files of `make stage`, run as its compose.yml says."""
