"""The lines of a report hold what the rounds told, also where a round told less."""

from tests.benchmarks.report import Figure, as_text_table, lines_of


def test_a_peer_that_is_absent_in_one_round_has_its_other_rounds() -> None:
    """It is compared where it was there, and the reason stands in a line of its own."""
    floor, gone = Figure("floor", 10.0, "x"), Figure("peer: not through", 0.0, "x")
    rounds = [[floor, Figure("peer", 5.0, "x", floor="floor")], [floor, gone], [floor, Figure("peer", 7.0, "x")]]
    lines = {line.name: line for line in lines_of("b", rounds)}
    assert lines["floor"].values == (10.0, 10.0, 10.0)
    assert lines["peer"].values == (5.0, 7.0)
    assert lines["peer: not through"].values == (0.0,)


def test_a_table_has_numbers_to_the_right() -> None:
    """So that their digits stand below each other."""
    table = as_text_table(("figure", "median"), [("short", "1"), ("a longer one", "1,000")])
    assert table.splitlines() == [
        "figure        median",
        "------------  ------",
        "short              1",
        "a longer one   1,000",
    ]
