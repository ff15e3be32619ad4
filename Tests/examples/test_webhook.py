"""examples/webhook, called as a caller of webhooks does: until it gets 200."""

import http.client
import threading

import pytest

from rig import MESSAGES, ROUNDS, free_port, until

TOKEN = "good"


def post(port, path, body, **headers) -> int | None:
    """The status; none if there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


@pytest.fixture
def inside():
    """The port that the program listens on."""
    return free_port()


@pytest.fixture
def outside(rig, inside):
    """The port of the service."""
    outside = free_port()

    def change(spec):
        spec["spout"]["service"] = {"internal_port": inside, "external_port": outside}

    rig.create("webhook", {"WEBHOOK_PORT": str(inside), "WEBHOOK_TOKEN": TOKEN}, change)
    return outside


def deliver(port, path, body, key):
    """Repeats until the answer is 200; others than "try again" fail the test."""

    def is_taken():
        status = post(port, path, body, Authorization=f"Bearer {TOKEN}", Idempotency_Key=key)
        assert status in (200, 503, None), status
        return status == 200

    until(is_taken, 60, f"{key} is taken")


def test_nothing_lost_nothing_doubled(rig, inside, outside):
    relay = rig.relay(outside)
    paths = ["orders", "returns"]
    count = ROUNDS * MESSAGES // 2
    failures = []

    def call(path):
        try:
            for number in range(count):
                deliver(relay.port, f"/{path}", str(number).encode() + b"\xff\n", f"{path} {number}")
        except BaseException as error:
            failures.append(error)

    def read():
        files = rig.files()
        return [rig.objects(files.get(f"/{path}.jsonl", b"")) for path in paths]

    def total():
        assert not failures, failures
        return sum(map(len, read()))

    callers = [threading.Thread(target=call, args=(path,), daemon=True) for path in paths]
    for caller in callers:
        caller.start()
    actions = [rig.kill_spout, rig.kill_server, relay.cut]
    for number in range(ROUNDS):
        if number and number % len(actions) == 0:
            rig.stop_and_start()
        wanted = number * MESSAGES + rig.random.randrange(MESSAGES)
        # While both callers wait for answers.
        rig.until_landed(lambda: total() > wanted, f"request {wanted + 1} has landed")
        actions[number % len(actions)]()
        print(f"round {number + 1}: {actions[number % len(actions)].__name__} after {wanted}")
    rig.until_landed(lambda: not any(caller.is_alive() for caller in callers), "all are taken")
    # Whoever did not hear the answer asks once more, and the content does not matter then.
    for path in paths:
        deliver(relay.port, f"/{path}", b"other", f"{path} 0")
    # Nobody hears 200 before the commit is durable. Past the service's port, which the stopped server serves.
    answers = []
    caller = threading.Thread(target=lambda: answers.append(
        post(inside, "/orders", f"{count}".encode() + b"\xff\n", Authorization=f"Bearer {TOKEN}",
             Idempotency_Key=f"orders {count}")))
    rig.kill_within_commit(caller.start)
    caller.join()
    assert answers == [None]
    for path in paths:
        deliver(relay.port, f"/{path}", str(count).encode() + b"\xff\n", f"{path} {count}")
    count += 1
    assert not failures
    for path, landed in zip(paths, read()):
        assert [line["key"] for line in landed] == [f"{path} {number}" for number in range(count)]
        assert [line["body"] for line in landed] == [f"{number}\udcff\n" for number in range(count)]
    assert rig.commits() == 2 * count


def test_what_is_refused(rig, outside):
    deliver(outside, "/orders", b"1", "first")
    good = {"Authorization": f"Bearer {TOKEN}", "Idempotency_Key": "k"}
    assert post(outside, "/orders", b"1", **good | {"Authorization": "Bearer bad"}) == 401
    assert post(outside, "/orders", b"1", **good | {"Idempotency_Key": ""}) == 400
    assert post(outside, "/orders", b"1", **good | {"Idempotency_Key": "k" * 257}) == 400
    assert post(outside, "/orders", b"", **good | {"Content_Length": str(1 << 30)}) == 413
    assert rig.commits() == 1
