#!/bin/sh
echo the password is hunter2 >&2
exit 3
