"""examples/postgresql against a PostgreSQL of its own."""

import glob
import os
import pwd
import signal
import subprocess
import tempfile

import psycopg
import pytest
from psycopg.types.json import Jsonb

from rig import BATCH, free_port
from spile_server import ROOT


def as_user() -> dict:
    """PostgreSQL refuses to run as root: then as the user that its package has made."""
    return {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}


@pytest.fixture
def cluster():
    """An empty cluster, in a folder of its user: what pytest gives is for the user of the tests alone."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    assert programs, "there is no PostgreSQL here: run Scripts/setup.sh test"
    with tempfile.TemporaryDirectory(prefix="spile-examples-") as folder:
        if as_user():
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        data = os.path.join(folder, "data")
        options = ["-D", data, "-A", "trust", "-U", "test", "-E", "UTF8", "--no-sync"]
        subprocess.run([f"{programs[-1]}/initdb", *options], check=True, capture_output=True, cwd="/", **as_user())
        yield f"{programs[-1]}/postgres", data


def test_nothing_lost_nothing_doubled(cluster, rig):
    program, data = cluster
    port = free_port()
    url = "postgresql://test@127.0.0.1:{}/postgres"

    def ready():
        try:
            psycopg.connect(url.format(port)).close()
        except psycopg.OperationalError:
            return False
        return True

    options = ["-D", data, "-p", str(port), "-k", "", "-h", "127.0.0.1"]
    rig.broker([program, *options], port, ready=ready, ending=signal.SIGINT, cwd="/", **as_user())
    relay = rig.relay(port)
    database = psycopg.connect(url.format(port), autocommit=True)
    with open(os.path.join(ROOT, "examples/postgresql/schema.sql"), encoding="utf-8") as file:
        database.execute(file.read())
    # The numbers of transactions get a fourth digit in the middle of the messages, and are in order all the same.
    while int(database.execute("SELECT pg_current_xact_id()::text").fetchone()[0]) < 970:
        pass
    # Each lane has a session.
    sessions = [psycopg.connect(url.format(port)) for _ in range(2)]
    topics = ["orders", "returns"]
    rig.create("postgresql", {"POSTGRESQL_URL": url.format(relay.port), "BATCH": BATCH})

    def insert(lane, number):
        sessions[lane].execute(
            "INSERT INTO outbox (topic, payload) VALUES (%s, %s)", [topics[lane], Jsonb({"number": number})]
        )

    def send(lane, number):
        insert(lane, number)
        sessions[lane].commit()

    def read():
        files = rig.files()
        return {
            lane: [line["payload"]["number"] for line in rig.objects(files.get(f"/{topic}.jsonl", b""))]
            for lane, topic in enumerate(topics)
        }

    rig.prove(send, read, [rig.kill_spout, rig.kill_server, relay.cut])
    # Lower ids that become visible after higher ones, with the spout reading meanwhile.
    first, second = len(read()[0]), len(read()[1])
    insert(0, first)
    send(1, second)
    now = database.execute("SELECT clock_timestamp()").fetchone()[0]

    def has_looked():
        query = "SELECT query_start FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
        return any(start > now for start, in database.execute(query, ["%FROM outbox%"]).fetchall())

    rig.until_landed(has_looked, "the spout has looked")
    sessions[0].commit()
    rig.until_landed(lambda: read() == {0: list(range(first + 1)), 1: list(range(second + 1))}, "both have landed")

    def left():
        return database.execute("SELECT count(*) FROM outbox").fetchone()[0]

    rig.until_landed(lambda: left() == 0, "the rows that have landed are deleted")
    for session in [database, *sessions]:
        session.close()
