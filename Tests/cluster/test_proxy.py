"""The stations themselves: what disturbs the servers has to do what it says."""

import contextlib
import socket
import threading
import time

import pytest

from proxy import Loop, Mode, Slowness, Station


class Echo:
    """Sends back what it gets."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(near,), daemon=True).start()

    @staticmethod
    def answer(near):
        with contextlib.suppress(OSError), near:
            while data := near.recv(1 << 16):
                near.sendall(data)

    def close(self):
        # Closing alone does not wake the thread that accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def station():
    echo, loop = Echo(), Loop()
    station = Station(loop, echo.port, Slowness(delay=0.1, bytes_per_second=1 << 20))
    yield station
    station.close()
    loop.close()
    echo.close()


def connect(station) -> socket.socket:
    return socket.create_connection(("127.0.0.1", station.port), timeout=10)


def echoed(end, data=b"x") -> bytes:
    end.sendall(data)
    found = b""
    while len(found) < len(data):
        piece = end.recv(1 << 16)
        assert piece, f"the connection ended after {len(found)} of {len(data)} bytes"
        found += piece
    return found


def test_it_passes_bytes_and_the_end(station):
    with connect(station) as end:
        data = bytes(range(256)) * 1000
        assert echoed(end, data) == data
        end.shutdown(socket.SHUT_WR)
        assert end.recv(1) == b""


def test_a_refusing_station_resets_and_refuses_and_comes_back(station):
    with connect(station) as end:
        echoed(end)
        station.set(Mode.REFUSE)
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(station)
    station.set(Mode.PASS)
    with connect(station) as end:
        assert echoed(end) == b"x"


def test_a_stalled_station_holds_bytes_back_and_gives_them_later(station):
    with connect(station) as before:
        echoed(before)
        station.set(Mode.STALL)
        with connect(station) as new:
            for end in [before, new]:
                end.sendall(b"held")
                end.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    end.recv(1)
                end.settimeout(10)
            station.set(Mode.PASS)
            for end in [before, new]:
                assert end.recv(4) == b"held"


def test_a_slow_station_is_late_and_narrow(station):
    with connect(station) as end:
        station.set(Mode.SLOW)
        begin = time.monotonic()
        echoed(end)
        assert 0.2 <= time.monotonic() - begin < 5
        begin = time.monotonic()
        echoed(end, bytes(1 << 20))
        assert time.monotonic() - begin >= 1


def test_a_drop_resets_what_is_connected_and_nothing_else(station):
    with connect(station) as end:
        echoed(end)
        station.drop()
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    with connect(station) as end:
        assert echoed(end) == b"x"
