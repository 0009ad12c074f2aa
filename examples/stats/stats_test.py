"""Run with: python3 -m unittest discover -p '*_test.py'"""

import math
import tempfile
import unittest
from pathlib import Path

import numbers_of
import statistics_of


class ColumnTest(unittest.TestCase):
    """Reading columns of files."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(Path(folder.name) / "file.csv")

    def write(self, content: str | bytes) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        Path(self.file).write_bytes(data)

    def test_empty_cells_are_counted_and_left_out(self) -> None:
        self.write('\ufeffa,b\r\n1,x\r\n,y\r\n\r\n" 2.5",z\r\n')
        self.assertEqual(numbers_of.column(self.file, "a"), ([1.0, 2.5], 1))

    def test_rows_without_both_numbers_are_left_out(self) -> None:
        self.write("a,b\n1,2\n,3\n4,\n5,6\n")
        self.assertEqual(numbers_of.two_columns(self.file, "a", "b"), ([1.0, 5.0], [2.0, 6.0]))

    def assert_refused(self, content: str | bytes, message: str) -> None:
        self.write(content)
        with self.assertRaises(ValueError) as context:
            numbers_of.column(self.file, "a")
        self.assertIn(message, str(context.exception))

    def test_errors_say_where_and_why(self) -> None:
        self.assert_refused("", "no column 'a'; the columns are: none")
        self.assert_refused("b,c\n", "no column 'a'; the columns are: 'b', 'c'")
        self.assert_refused('a,b\n"1","\n"\nx,\n', "line 4, column 'a': 'x' is not a number")
        self.assert_refused("a\nnan\n", "'nan' is not a number")
        self.assert_refused("a\n1_000\n", "'1_000' is not a number")
        self.assert_refused("a\n-1e71\n", "'-1e71' is beyond 1e+70")
        self.assert_refused("a,b\n1\n", "line 2: cells in the row: 1, in the header: 2")
        self.assert_refused('a\n"1\n', "unexpected end of data")
        self.assert_refused(b"a\n\xff\n", "not UTF-8 text")
        with self.assertRaises(ValueError):
            numbers_of.column(self.file + ".missing", "a")


class StatisticsTest(unittest.TestCase):
    """Statistics of lists."""

    def test_a_summary_agrees_with_the_textbook(self) -> None:
        summary = statistics_of.summary([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
        self.assertEqual(summary.mean, 5.0)
        self.assertEqual(summary.median, 4.5)
        self.assertAlmostEqual(summary.stdev or 0.0, math.sqrt(32 / 7))
        self.assertEqual((summary.lower_quartile, summary.upper_quartile), (4.0, 5.5))
        self.assertEqual((summary.smallest, summary.largest), (2.0, 9.0))

    def test_one_number_has_no_deviation(self) -> None:
        self.assertIsNone(statistics_of.summary([1.0]).stdev)
        with self.assertRaises(ValueError):
            statistics_of.summary([])

    def test_columns_that_do_not_vary_have_no_correlation(self) -> None:
        self.assertAlmostEqual(statistics_of.correlation([1.0, 2.0], [4.0, 2.0]), -1.0)
        for x, y in (([1.0], [1.0]), ([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0])):
            with self.assertRaises(ValueError):
                statistics_of.correlation(x, y)

    def test_a_histogram_counts_every_number_once(self) -> None:
        bars = statistics_of.histogram([0.0, 1.0, 2.0, 3.0, 4.0], 2)
        self.assertEqual(bars, [statistics_of.Bar(0.0, 2.0, 2), statistics_of.Bar(2.0, 4.0, 3)])
        numbers = [i / 10 for i in range(-37, 91)]
        for bins in range(1, 50):
            bars = statistics_of.histogram(numbers, bins)
            self.assertEqual(sum(bar.count for bar in bars), len(numbers))
            for bar in bars[:-1]:
                expected = sum(bar.low <= number < bar.high for number in numbers)
                self.assertEqual(bar.count, expected)

    def test_equal_numbers_make_one_bar(self) -> None:
        self.assertEqual(statistics_of.histogram([3.0, 3.0], 5), [statistics_of.Bar(3.0, 3.0, 2)])

    def test_the_largest_numbers_do_not_overflow(self) -> None:
        numbers = [-numbers_of.LARGEST_NUMBER, 0.0, numbers_of.LARGEST_NUMBER] * 1000
        summary = statistics_of.summary(numbers)
        for value in (summary.mean, summary.lower_quartile, summary.stdev):
            self.assertTrue(math.isfinite(value or 0.0))
        self.assertAlmostEqual(statistics_of.correlation(numbers, numbers), 1.0)
        self.assertEqual([bar.count for bar in statistics_of.histogram(numbers, 2)], [1000, 2000])


if __name__ == "__main__":
    unittest.main()
