#!/bin/sh
echo '{"redis": {"hosts": ["one"], "vars": {"redis_auth": "none", "redis_maxmemory": "512 MB"}}, "_meta": {"hostvars": {}}}'
