"""What the docs promise is what the tests hold."""

from tests.faults import table


def test_the_table_of_the_docs_is_the_list_of_the_tests():
    assert table.PAGE.read_text() == table.page(), "run: python -m tests.faults.table"
