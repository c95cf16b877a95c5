"""What faults happen to: containers of staged files, or the hosts of an inventory."""
