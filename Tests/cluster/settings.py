"""What a run under fire, or over bad links, is told by variables: docs/TESTING.md."""

import dataclasses

from faults import Pace
from variables import span, word


@dataclasses.dataclass(frozen=True)
class Settings:
    servers: int
    store: str
    writers: int
    processes: int
    seed: int
    pause: float
    patience: float
    faults: list[str]
    pace: Pace
    silence: float


SETTINGS = Settings(
    servers=int(word("SERVERS", "3")),
    store=word("STORE", "s3"),
    writers=int(word("WRITERS", "64")),
    processes=int(word("PROCESSES", "8")),
    seed=int(word("SEED", "1")),
    pause=float(word("PAUSE", "0")),
    patience=float(word("PATIENCE", "120")),
    faults=[name for name in word("FAULTS", "").split(",") if name],
    pace=Pace(
        seconds=float(word("SECONDS", "45")), hold=span("HOLD", "1-3"), calm=span("CALM", "1-2"),
        both=float(word("BOTH", "0.25")),
    ),
    silence=float(word("SILENCE", "15")),
)
