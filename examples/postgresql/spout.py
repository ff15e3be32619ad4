#!/usr/bin/env python3
"""Appends the rows of a PostgreSQL outbox table to files: one JSON line per row, one file per topic.

Every commit holds the position (transaction, id) of its last row in its metadata, and reading goes on behind it. Rows
are deleted after that. So nothing is lost and nothing doubled wherever this program, the server or the connection ends. Any
error ends the program: the server starts it again.

A row with a lower id may become visible after one with a higher id: ids are given while transactions still run. So a
row counts only once every transaction up to its own has ended (`pg_snapshot_xmin`): nothing can appear before it any more.
"""

import json
import os
from urllib.parse import quote

import psycopg

from spile_spout import Output

URL = os.environ["POSTGRESQL_URL"]
# Rows in a commit, at most.
BATCH = int(os.environ.get("BATCH", "500"))
# How long to wait for a notification before looking all the same, in seconds. A row that had to wait for an older
# transaction is not announced when that one ends.
WAIT = 1

# The columns in ORDER BY are the table's: a bare name would be that of the output, and numbers as text sort otherwise.
READ = """
    SELECT transaction::text, id, topic, payload FROM outbox
    WHERE (transaction, id) > (%s::text::xid8, %s) AND transaction < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY outbox.transaction, outbox.id LIMIT %s
"""
DELETE = "DELETE FROM outbox WHERE (transaction, id) <= (%s::text::xid8, %s)"


def main():
    output = Output()
    transaction, number = output.position.get("transaction", "0"), int(output.position.get("id", "0"))
    # Statements commit by themselves: an open transaction would hold back the rows of all others.
    with psycopg.connect(URL, autocommit=True) as database:
        database.execute("LISTEN outbox")
        # What the last launch had committed and not deleted.
        database.execute(DELETE, [transaction, number])
        while True:
            rows = database.execute(READ, [transaction, number, BATCH]).fetchall()
            if not rows:
                for _ in database.notifies(timeout=WAIT, stop_after=1):
                    pass
                continue
            files: dict[str, list[bytes]] = {}
            for transaction, number, topic, payload in rows:
                line = json.dumps({"transaction": int(transaction), "id": number, "payload": payload}).encode() + b"\n"
                files.setdefault(f"/{quote(topic, safe='')}.jsonl", []).append(line)
            # The position behind a batch names it: no other batch ends there.
            output.write(files, {"transaction": transaction, "id": number}, key=f"{transaction}-{number}")
            database.execute(DELETE, [transaction, number])


if __name__ == "__main__":
    main()
