"""A station on the way from a server to its database or its store, which behaves as a bad network does when told.

All stations of a run live on one event loop in a thread of its own; whoever holds a `Station` may steer it from any
thread, and a change has taken place when the call returns.
"""

import asyncio
import dataclasses
import enum
import socket
import struct
import threading

PIECE = 1 << 16
# With this a socket that is closed sends RST instead of FIN: the other end sees an error, not an orderly end.
RESET = struct.pack("ii", 1, 0)


class Mode(enum.Enum):
    """How a station treats connections."""

    PASS = "pass"
    # Nobody listens, and what was connected is reset: the host is there, the program is not.
    REFUSE = "refuse"
    # Connections are taken and live on, and nothing goes through them until the mode ends.
    STALL = "stall"
    # Each piece of at most 64 KiB comes late, and all connections together share a small bandwidth.
    SLOW = "slow"


@dataclasses.dataclass(frozen=True)
class Slowness:
    delay: float = 0.05
    """Seconds by which each piece is late."""

    bytes_per_second: int = 4 << 20
    """Of all connections of the station, each way."""


class Loop:
    """The thread in which stations carry bytes. It ends with `close`."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="stations")
        self.thread.start()

    def run(self, work):
        """Runs a coroutine there and gives what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)


class Lane:
    """One direction of a station: the bandwidth that its connections share while it is slow."""

    def __init__(self):
        self.free_at = 0.0

    def book(self, now: float, size: int, slowness: Slowness) -> float:
        """Seconds until a piece of this size is through."""
        self.free_at = max(self.free_at, now) + size / slowness.bytes_per_second
        return self.free_at - now + slowness.delay


class Station:
    """A port of loopback, and what is behind it."""

    def __init__(self, loop: Loop, target_port: int, slowness: Slowness = Slowness()):
        self.owner = loop
        self.target_port = target_port
        self.slowness = slowness
        self.port = 0
        # What follows belongs to the loop's thread.
        self.mode = Mode.PASS
        self.there, self.back = Lane(), Lane()
        self.flows = asyncio.Event()
        self.flows.set()
        self.pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self.carriers: set[asyncio.Task] = set()
        self.listener: asyncio.Server | None = None
        loop.run(self._listen())

    def set(self, mode: Mode) -> None:
        self.owner.run(self._set(mode))

    def drop(self) -> None:
        """Resets what is connected now; new connections are as the mode says."""
        self.owner.run(self._drop())

    def close(self) -> None:
        self.owner.run(self._close())

    # On the loop

    async def _listen(self) -> None:
        self.listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=PIECE)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def _set(self, mode: Mode) -> None:
        if mode is self.mode:
            return
        before, self.mode = self.mode, mode
        if mode is Mode.STALL:
            self.flows.clear()
        else:
            self.flows.set()
        if mode is Mode.REFUSE:
            self.listener.close()
            await self._drop()
        elif before is Mode.REFUSE:
            await self._listen()

    async def _drop(self) -> None:
        pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for writer in pair:
                reset(writer)

    async def _close(self) -> None:
        self.listener.close()
        await self._drop()
        for carrier in self.carriers:
            carrier.cancel()
        await asyncio.gather(*self.carriers, return_exceptions=True)

    async def _accept(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.carriers.add(task)
        try:
            await self._join(near_reader, near)
        except asyncio.CancelledError:
            # The station is being closed.
            pass
        finally:
            self.carriers.discard(task)

    async def _join(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        # While nothing flows the far end does not hear of the connection either.
        await self.flows.wait()
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target_port, limit=PIECE)
        except OSError:
            reset(near)
            return
        pair = (near, far)
        self.pairs.add(pair)
        try:
            await asyncio.gather(
                self._carry(near_reader, far, self.there), self._carry(far_reader, near, self.back)
            )
        except OSError:
            # One end was reset, so the other one is.
            for writer in pair:
                reset(writer)
        finally:
            self.pairs.discard(pair)
            for writer in pair:
                writer.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, lane: Lane) -> None:
        while data := await source.read(PIECE):
            if self.mode is Mode.SLOW:
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(lane.book(now, len(data), self.slowness))
            await self.flows.wait()
            target.write(data)
            await target.drain()
        await self.flows.wait()
        if target.can_write_eof():
            target.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
