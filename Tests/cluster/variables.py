"""The variables CLUSTER_...: docs/TESTING.md. A name may mean another thing where another part is run."""

import os


def word(name: str, default: str) -> str:
    return os.environ.get(f"CLUSTER_{name}") or default


def span(name: str, default: str) -> tuple[float, float]:
    """Two numbers with a dash between."""
    low, high = word(name, default).split("-")
    return float(low), float(high)
