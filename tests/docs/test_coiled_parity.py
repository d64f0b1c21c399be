"""The table of Coiled's statements has a row for each test of them, in the same order, and none without."""

import ast
import re

import fences

PAGE = fences.ROOT / "docs" / "coiled-parity.md"
TESTS = fences.ROOT / "tests" / "engine" / "test_coiled_aws_page.py"


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_each_row_has_a_statement_what_differs_and_one_test():
    wrong = [
        row for row in rows() if len(row) != 3 or not all(row) or not re.fullmatch(r"`test_\w+`", row[2])
    ]
    assert wrong == []


def test_rows_and_tests_are_the_same_in_the_same_order():
    tree = ast.parse(TESTS.read_text("utf-8"))
    tests = [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"
    ]
    assert [row[2].strip("`") for row in rows()] == tests
    assert len(set(tests)) == len(tests) > 30
