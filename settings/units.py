"""Lines that an inventory may add to our systemd units: what a sandbox or a bound may be relaxed or tightened by.

systemd ignores a directive that it does not know: a misspelt one would leave the sandbox as it was, without a word.
"""

from __future__ import annotations

import difflib
import re

from settings.parsing import refuse

SANDBOX = [
    "AmbientCapabilities",
    "AppArmorProfile",
    "BindPaths",
    "BindReadOnlyPaths",
    "CapabilityBoundingSet",
    "DeviceAllow",
    "DevicePolicy",
    "ExecPaths",
    "InaccessiblePaths",
    "IPAddressAllow",
    "IPAddressDeny",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "MountFlags",
    "NoExecPaths",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictFileSystems",
    "RestrictNamespaces",
    "RestrictNetworkInterfaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SELinuxContext",
    "SmackProcessLabel",
    "SocketBindAllow",
    "SocketBindDeny",
    "SupplementaryGroups",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
    "SystemCallLog",
    "TemporaryFileSystem",
    "UMask",
]
BOUNDS = [
    "AllowedCPUs",
    "AllowedMemoryNodes",
    "CPUAffinity",
    "CPUSchedulingPolicy",
    "CPUSchedulingPriority",
    "CPUWeight",
    "IOSchedulingClass",
    "IOSchedulingPriority",
    "IOReadBandwidthMax",
    "IOReadIOPSMax",
    "IOWeight",
    "IOWriteBandwidthMax",
    "IOWriteIOPSMax",
    "LimitAS",
    "LimitCORE",
    "LimitCPU",
    "LimitDATA",
    "LimitFSIZE",
    "LimitLOCKS",
    "LimitMEMLOCK",
    "LimitMSGQUEUE",
    "LimitNPROC",
    "LimitRSS",
    "LimitSIGPENDING",
    "LimitSTACK",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMin",
    "MemorySwapMax",
    "NUMAMask",
    "NUMAPolicy",
    "OOMPolicy",
    "OOMScoreAdjust",
    "Slice",
    "TasksMax",
    "TimerSlackNSec",
]
ADDED = [
    "LoadCredential",
    "LoadCredentialEncrypted",
    "LogExtraFields",
    "LogNamespace",
    "LogRateLimitBurst",
    "LogRateLimitIntervalSec",
]
DIRECTIVES = frozenset((*SANDBOX, *BOUNDS, *ADDED))
# A setting says these: two places would contradict each other.
SETTINGS = {
    "CPUQuota": "cpu_quota of a group in celery_workers",
    "Environment": "celery_environment",
    "EnvironmentFile": "celery_secret_environment",
    "ExecStart": "celery_workers, or redis_server_binary",
    "Group": "celery_group, or redis_group",
    "LimitNOFILE": "limit_nofile of a group in celery_workers, or redis_limit_nofile",
    "MemoryMax": "memory_max of a group in celery_workers, celery_flower_memory_max, or redis_memory_max",
    "Nice": "nice of a group in celery_workers",
    "RestartSec": "celery_restart_delay",
    "StandardError": "stack_logs",
    "StandardOutput": "stack_logs",
    "TimeoutStartSec": "redis_start_timeout",
    "TimeoutStopSec": "celery_stop_timeout, or redis_stop_timeout",
    "User": "celery_user, or redis_user",
}
# A directive is a misspelling of a known one from this share of common letters on.
NEAR = 0.75


def unit_line(value: str) -> str:
    """Take `Directive=value` where the directive is one that a unit may be relaxed or tightened by.

    Raises:
        PydanticCustomError: on another form, an unknown directive, or one that a setting says.
    """
    match = re.fullmatch(r"([A-Za-z]+)=(.*)", value)
    if not match:
        raise refuse("unit-line", "a line of a unit is Directive=value", "write it like ProtectHome=read-only")
    name = match[1]
    if value.endswith("\\"):
        raise refuse("unit-line", "a backslash at its end would join it with the next line", "delete the backslash")
    if name in SETTINGS:
        raise refuse("unit-line", f"a setting writes {name} already", f"set {SETTINGS[name]}")
    if name not in DIRECTIVES:
        by_lower = {known.lower(): known for known in DIRECTIVES}
        near = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=NEAR)
        fix = f"write {by_lower[near[0]]}" if near else "see settings/units.py for those that may be written"
        raise refuse("unit-line", f"{name} is no directive of a sandbox or a bound that systemd knows", fix)
    return value
