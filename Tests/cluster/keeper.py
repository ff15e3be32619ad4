"""Whoever watches over servers: one that ends by itself is started again, as a service manager would."""

import threading

from company import Company, Member

# Between two looks.
PAUSE = 0.2


class Keeper:
    """A thread while the block lasts. Servers that a fault has ended are not its business."""

    def __init__(self, company: Company):
        self.company = company
        # What it saw, in words: guarded by its being a list that only grows.
        self.restarts: list[str] = []
        # What is an error: a server that was ended by a signal that nobody sent, or that does not come back.
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="keeper")

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join()

    def must_be_well(self) -> None:
        if self.wrong:
            raise RuntimeError("\n".join(self.wrong))

    def _watch(self) -> None:
        while not self._stop.wait(PAUSE):
            for member in self.company.members:
                with member.lock:
                    if member.is_wanted and not member.is_up:
                        self._bring_back(member)

    def _bring_back(self, member: Member) -> None:
        status = member.server.process.returncode
        last = member.last_words()
        if status < 0:
            self.wrong.append(f"{member.name} crashed with signal {-status}: {last}")
        self.restarts.append(f"{member.name} ended by itself with status {status}: {last}")
        try:
            member.start()
        except RuntimeError as error:
            self.wrong.append(f"{member.name} does not come back: {error}")
            member.is_wanted = False
