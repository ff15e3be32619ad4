"""The processor time that a process may use and has used."""

import os

TICKS = os.sysconf("SC_CLK_TCK")
GROUPS = "/sys/fs/cgroup"
# Short, so that a process with a small share is not silent for long.
PERIOD = 50_000


def cpu_seconds(pid: int) -> float:
    """What the process has used so far, all threads together, and children that have ended and were waited for."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        # Behind the name, which may hold anything.
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def tree_cpu_seconds(pid: int) -> float:
    """The same with all living children: a PostgreSQL server has a process for each client."""
    total = cpu_seconds(pid)
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        for child in file.read().split():
            try:
                total += cpu_seconds(int(child))
            except OSError:
                # It has ended meanwhile.
                continue
    return total


def pin(pid: int, core: int) -> None:
    """Lets a process run on one core only, with all threads that it has or will have."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


class Share:
    """A group of processes that together get a part of one core, and no more. Needs root and Linux' control groups."""

    def __init__(self, name: str, part: float):
        self.folder = os.path.join(self.root(), name)
        os.mkdir(self.folder)
        quota = int(part * PERIOD)
        try:
            if os.path.exists(f"{self.folder}/cpu.max"):
                self._write("cpu.max", f"{quota} {PERIOD}")
            else:
                self._write("cpu.cfs_period_us", str(PERIOD))
                self._write("cpu.cfs_quota_us", str(quota))
        except OSError:
            self.close()
            raise

    @staticmethod
    def root() -> str:
        """Where groups with processor time are made: in the one tree of version 2, or in version 1's own."""
        control = f"{GROUPS}/cgroup.subtree_control"
        if not os.path.exists(control):
            return f"{GROUPS}/cpu"
        with open(control, "r+", encoding="ascii") as file:
            if "cpu" not in file.read().split():
                file.write("+cpu")
        return GROUPS

    def add(self, pid: int) -> None:
        self._write("cgroup.procs", str(pid))

    def close(self) -> None:
        """Its processes have to have ended."""
        os.rmdir(self.folder)

    def _write(self, name: str, text: str) -> None:
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
