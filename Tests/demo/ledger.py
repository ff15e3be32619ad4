"""What the publisher has sent, so that the demo can prove what arrived.

Two files in one folder:

* ``published.jsonl``: one line per message, the very bytes that are sent. A line is written before its message.
* ``confirmed``: how many of them the broker has confirmed. Confirmations come in order.

A publisher that is killed leaves lines that are not confirmed; the next one sends them again first. They are the same
bytes, so it does no harm if the broker had them already.
"""

import os


class Ledger:
    """One writer at a time. Readers may look whenever the writer has stopped."""

    def __init__(self, folder: str):
        self.lines_path = os.path.join(folder, "published.jsonl")
        self.confirmed_path = os.path.join(folder, "confirmed")

    def messages(self) -> list[bytes]:
        """All messages, the first at index 0. A line that was cut off by a crash was not sent, and does not count."""
        try:
            with open(self.lines_path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        return lines[:-1]

    def cut_torn_line(self) -> None:
        """Removes what a crash left of a line, so that the next one starts where a line starts."""
        whole = sum(len(line) + 1 for line in self.messages())
        if os.path.exists(self.lines_path):
            os.truncate(self.lines_path, whole)

    def confirmed(self) -> int:
        try:
            with open(self.confirmed_path, encoding="ascii") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def add(self, message: bytes) -> None:
        with open(self.lines_path, "ab") as file:
            file.write(message + b"\n")

    def confirm(self, count: int) -> None:
        fresh = self.confirmed_path + ".new"
        with open(fresh, "w", encoding="ascii") as file:
            file.write(str(count))
        os.replace(fresh, self.confirmed_path)
