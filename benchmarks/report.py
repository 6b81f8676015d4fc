"""What every benchmark prints: JSON with the machine, its load, and spreads instead of single figures."""

import json
import os
import platform
from collections.abc import Sequence
from typing import Any


def machine() -> dict[str, Any]:
    """Taken before a measurement: what else the machine was doing belongs to the figure."""
    one, five, fifteen = os.getloadavg()
    return {
        "cores": os.cpu_count(),
        "load_1_min": round(one, 2),
        "load_5_min": round(five, 2),
        "load_15_min": round(fifteen, 2),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median, p95 and most; empty for no values."""
    ordered = sorted(values)
    if not ordered:
        return {}
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"median": round(median, digits), "p95": round(p95, digits), "max": round(ordered[-1], digits)}


def publish(figures: dict[str, Any]) -> None:
    print(json.dumps(figures, indent=2))
