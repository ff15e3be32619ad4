"""The figures of a run: how much was acknowledged, how soon, and how long nothing was."""

import bisect
import dataclasses
import json
import math
from collections.abc import Iterable

from faults import Struck
from ledger import Entry


WAITS = ("silence_s", "recovery_s")


@dataclasses.dataclass(frozen=True)
class Silence:
    """What one fault did to the writers, in seconds."""

    silence: float
    """The longest time, begun before the fault ended and ended after it began, in which no server that it left alone
    acknowledged anything; all servers count where it struck all."""

    recovery: float
    """From its end to the next acknowledgement."""


def silence(ledger: list[Entry], struck: Struck) -> Silence:
    """`ledger` is in the order of the acknowledgements."""
    victims = {struck.round.victim} if struck.round.strikes_one else set()
    servers = {entry.server for entry in ledger}
    # A server alone has no survivors.
    counts = [e.acknowledged for e in ledger if e.server not in victims or len(servers) == 1]
    # The end of the run closes a silence that lasted until then.
    counts.append(max(ledger[-1].acknowledged, struck.ended))
    begin = max(0, bisect.bisect_left(counts, struck.began) - 1)
    end = bisect.bisect_right(counts, struck.ended) + 1
    near = counts[begin:end]
    gaps = [after - before for before, after in zip(near, near[1:])]
    times = [entry.acknowledged for entry in ledger]
    following = bisect.bisect_right(times, struck.ended)
    recovery = times[following] - struck.ended if following < len(times) else float("inf")
    return Silence(max(gaps, default=float("inf")), recovery)


def share(ordered: list[float], part: float) -> float:
    """The value below which that part of them lies."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def waits(ledger: Iterable[Entry]) -> dict[str, float]:
    """Milliseconds from the first try of a write to its acknowledgement."""
    ordered = sorted(entry.acknowledged - entry.began for entry in ledger)
    parts = {"p50": 0.5, "p99": 0.99, "longest": 1}
    return {name: round(1000 * share(ordered, part), 1) for name, part in parts.items()}


def figures(ledger: list[Entry], struck: list[Struck], retries: dict[str, int], **more) -> dict:
    if not ledger:
        raise ValueError("nothing was acknowledged")
    seconds = ledger[-1].acknowledged - ledger[0].began
    roles = sorted({entry.role for entry in ledger})
    by_server: dict[int, int] = {}
    for entry in ledger:
        by_server[entry.server] = by_server.get(entry.server, 0) + 1
    kinds: dict[str, list[Silence]] = {}
    for one in struck:
        kinds.setdefault(one.round.name, []).append(silence(ledger, one))
    return {
        **more,
        "seconds": round(seconds, 1),
        "commits": len(ledger),
        "commits_per_s": round(len(ledger) / seconds, 1),
        "mb_per_s": round(sum(entry.size for entry in ledger) / seconds / 1e6, 2),
        "acknowledged_ms": {
            "all": waits(ledger), **{role: waits(entry for entry in ledger if entry.role == role) for role in roles}
        },
        "commits_by_server": dict(sorted(by_server.items())),
        "writes_tried_again": sum(1 for entry in ledger if entry.tries > 1),
        "retries": dict(retries),
        "faults": {
            name: {
                "times": len(found),
                "silence_s": seconds_of(max(one.silence for one in found)),
                "recovery_s": seconds_of(max(one.recovery for one in found)),
            }
            for name, found in sorted(kinds.items())
        },
    }


def seconds_of(value: float) -> float | None:
    """None for what never came."""
    return round(value, 3) if math.isfinite(value) else None


def too_silent(ledger: list[Entry], struck: list[Struck], limit: float) -> list[str]:
    """The faults of one server after which the others were silent for too long."""
    return [
        f"with {one.round.name} of server {one.round.victim} the others acknowledged nothing for {found.silence:.1f} s"
        for one in struck
        if one.round.strikes_one and (found := silence(ledger, one)).silence > limit
    ]


def table(figures: dict) -> str:
    """The same for people."""
    lines = [
        f"{figures['commits']} commits in {figures['seconds']} s: {figures['commits_per_s']}/s, "
        f"{figures['mb_per_s']} MB/s",
        f"by server: {figures['commits_by_server']}",
        f"writes tried again: {figures['writes_tried_again']}; calls made again: {figures['retries']}",
        "",
        f"{'acknowledged within':36}{'p50':>12}{'p99':>12}{'longest':>12}",
        *[
            f"{role:36}{found['p50']:9.1f} ms{found['p99']:9.0f} ms{found['longest']:9.0f} ms"
            for role, found in figures["acknowledged_ms"].items()
        ],
        "",
        f"{'fault':36}{'times':>6}{'longest silence':>17}{'first after it':>16}",
    ]
    for name, kind in figures["faults"].items():
        silent, after = ("never" if kind[which] is None else f"{kind[which]:.2f} s" for which in WAITS)
        lines.append(f"{name:36}{kind['times']:6}{silent:>17}{after:>16}")
    return "\n".join(lines)


def tell(figures: dict) -> None:
    print(table(figures))
    print(json.dumps(figures))
