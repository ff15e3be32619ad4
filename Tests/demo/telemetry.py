"""What this machine has to tell about itself, from /proc."""

import os
import socket
import time


def read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def load() -> list[float]:
    return [float(word) for word in read("/proc/loadavg").split()[:3]]


def memory() -> dict[str, int]:
    """Bytes in all, and bytes that programs could still have."""
    kilobytes = dict(line.split(":") for line in read("/proc/meminfo").splitlines())
    return {
        "total": int(kilobytes["MemTotal"].split()[0]) * 1024,
        "available": int(kilobytes["MemAvailable"].split()[0]) * 1024,
    }


def network() -> dict[str, dict[str, int]]:
    """Bytes in and out of every interface since boot."""
    result = {}
    for line in read("/proc/net/dev").splitlines()[2:]:
        name, numbers = line.split(":")
        fields = numbers.split()
        result[name.strip()] = {"received": int(fields[0]), "sent": int(fields[8])}
    return result


def disks() -> dict[str, dict[str, int]]:
    """Bytes read and written of every whole disk since boot. /proc counts sectors of 512 bytes."""
    result = {}
    for line in read("/proc/diskstats").splitlines():
        fields = line.split()
        name = fields[2]
        if os.path.exists(f"/sys/block/{name}") and not name.startswith(("loop", "ram")):
            result[name] = {"read": int(fields[5]) * 512, "written": int(fields[9]) * 512}
    return result


def sample(number: int) -> dict:
    """One message."""
    return {
        "seq": number,
        "time": time.time(),
        "host": socket.gethostname(),
        "load": load(),
        "memory": memory(),
        "disks": disks(),
        "network": network(),
    }
