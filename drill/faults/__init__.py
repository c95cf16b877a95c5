"""What may happen to a deployment. Each fault says what it does, how it ends, and what may be felt of it."""

from drill.faults.both import BOTH
from drill.faults.disk import DISK
from drill.faults.fault import Fault
from drill.faults.network import NETWORK
from drill.faults.redis import REDIS
from drill.faults.worker import WORKER

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*REDIS, *WORKER, *NETWORK, *DISK, *BOTH)}

__all__ = ["FAULTS", "Fault"]
