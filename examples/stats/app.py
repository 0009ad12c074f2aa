"""The functions of wit/world.wit, called through the bindings that componentize-py generates."""

import wit_world
from componentize_py_types import Err
from wit_world import Bin, Summary

import numbers_of
import statistics_of


class WitWorld(wit_world.WitWorld):
    """A method for each exported function. A raised Err becomes the error of the result."""

    def describe(self, file: str, column: str) -> Summary:
        """Summarises one column."""
        try:
            numbers, missing = numbers_of.column(file, column)
            result = statistics_of.summary(numbers)
        except ValueError as error:
            raise Err(str(error)) from error
        return Summary(
            count=len(numbers),
            missing=missing,
            mean=result.mean,
            median=result.median,
            stdev=result.stdev,
            min=result.smallest,
            lower_quartile=result.lower_quartile,
            upper_quartile=result.upper_quartile,
            max=result.largest,
        )

    def correlate(self, file: str, x: str, y: str) -> float:
        """Gives Pearson's coefficient of correlation of two columns."""
        try:
            return statistics_of.correlation(*numbers_of.two_columns(file, x, y))
        except ValueError as error:
            raise Err(str(error)) from error

    def histogram(self, file: str, column: str, bins: int) -> list[Bin]:
        """Counts the numbers of one column in bars of the same width."""
        try:
            numbers, _ = numbers_of.column(file, column)
            bars = statistics_of.histogram(numbers, bins)
        except ValueError as error:
            raise Err(str(error)) from error
        return [Bin(low=bar.low, high=bar.high, count=bar.count) for bar in bars]
