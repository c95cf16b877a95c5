"""What can be put under load: containers of staged files, the local stack, hosts over SSH."""
