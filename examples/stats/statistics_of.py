"""Statistics of lists of numbers, of which none is NaN or beyond numbers_of.LARGEST_NUMBER.

Where a list has too few numbers for an answer, a ValueError says so.
"""

import statistics
from dataclasses import dataclass

MOST_BINS = 1000


@dataclass(frozen=True)
class Summary:
    """Numbers in short. The quartiles are those that spreadsheets call inclusive."""

    mean: float
    median: float
    stdev: float | None
    smallest: float
    lower_quartile: float
    upper_quartile: float
    largest: float


@dataclass(frozen=True)
class Bar:
    """How many numbers lie from low up to high, without high itself but for the last bar."""

    low: float
    high: float
    count: int


def summary(numbers: list[float]) -> Summary:
    """Summarises numbers, of which there has to be one at least."""
    if not numbers:
        raise ValueError("the column has no numbers")
    if len(numbers) == 1:
        lower_quartile = median = upper_quartile = numbers[0]
        stdev = None
    else:
        lower_quartile, median, upper_quartile = statistics.quantiles(
            numbers, n=4, method="inclusive"
        )
        stdev = statistics.stdev(numbers)
    return Summary(
        mean=statistics.fmean(numbers),
        median=median,
        stdev=stdev,
        smallest=min(numbers),
        lower_quartile=lower_quartile,
        upper_quartile=upper_quartile,
        largest=max(numbers),
    )


def correlation(x: list[float], y: list[float]) -> float:
    """Gives Pearson's coefficient of two lists of the same length."""
    if len(x) < 2:
        raise ValueError(f"rows with a number in both columns: {len(x)}; two are needed at least")
    if min(x) == max(x) or min(y) == max(y):
        raise ValueError("all numbers of one of the columns are the same: nothing varies with them")
    return statistics.correlation(x, y)


def histogram(numbers: list[float], bins: int) -> list[Bar]:
    """Counts numbers in bars of the same width, from the smallest number to the largest."""
    if not 1 <= bins <= MOST_BINS:
        raise ValueError(f"bins is {bins}; it has to be from 1 to {MOST_BINS}")
    if not numbers:
        raise ValueError("the column has no numbers")
    low, high = min(numbers), max(numbers)
    if low == high:
        return [Bar(low, high, len(numbers))]
    # Each edge is computed from both ends and not by adding up widths, whose errors would add up,
    # too.
    edges = [low * (1 - i / bins) + high * (i / bins) for i in range(bins)] + [high]
    counts = [0] * bins
    for number in numbers:
        counts[_bar_of(number, edges)] += 1
    return [Bar(edges[i], edges[i + 1], counts[i]) for i in range(bins)]


def _bar_of(number: float, edges: list[float]) -> int:
    """The bar that a number lies in, by halving: what the edges say is what counts."""
    first, last = 0, len(edges) - 2
    while first < last:
        middle = (first + last + 1) // 2
        if number >= edges[middle]:
            first = middle
        else:
            last = middle - 1
    return first
