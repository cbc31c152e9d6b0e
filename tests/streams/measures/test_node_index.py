"""An index finds the place of every number that it was given, and of no other."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from streams.measures.node_index import NodeIndex, number_of

# Numbers that share their low bits start in the same slot of the table and have to go on from there.
numbers = st.one_of(
    st.integers(0, 2**64 - 1), st.integers(0, 40), st.integers(0, 2**40).map(lambda n: n << 20), st.just(2**64 - 1)
)


@given(st.lists(numbers, unique=True, max_size=120), st.lists(numbers, max_size=20))
def test_every_number_is_found_where_it_was_put(known: list[int], asked: list[int]) -> None:
    """Whether there are few (looked through) or many (hashed), and wherever they collide."""
    index, places = NodeIndex(), dict[int, int]()
    for number in known:
        places[number] = index.put(number)

        assert index.find(number) == index.put(number) == places[number] == len(index) - 1
    assert [index.find(number) for number in known + asked] == [places.get(number, -1) for number in known + asked]


@given(st.lists(numbers, unique=True, max_size=120))
def test_numbers_taken_in_at_once_lie_where_one_by_one_they_would(known: list[int]) -> None:
    """A restored index finds what the old one found."""
    index = NodeIndex()
    index.extend(array("Q", known))

    assert [index.find(number) for number in known] == list(range(len(known)))


def test_numbers_of_ids_do_not_depend_on_the_process() -> None:
    """The number of an id is written into rows: BLAKE2b of 8 bytes (RFC 7693), read as little-endian."""
    # From the command `b2sum -l 64`, an implementation of its own.
    assert number_of("ab") == int.from_bytes(bytes.fromhex("0e52b5f187de1088"), "little")


def test_id_with_half_a_surrogate_pair_has_a_number() -> None:
    """JSON can carry such a text; it must not crash anything."""
    assert number_of("\ud800") != number_of("")
