"""Profiles as collapsed stacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.metrics.fold import Change, Profile, difference, own_shares, parse, share_of, tree

TEXT = """\
main (a.py:1);handle (a.py:5);hash (a.py:9) 30
main (a.py:1);handle (a.py:5) 10
main (a.py:1);idle (a.py:3) 10
main (a.py:1);handle (a.py:5);handle (a.py:5) 50

not a stack
three words 0
"""
STACKS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "c (x y.py:1)"]), min_size=1, max_size=4).map(tuple), st.integers(1, 50)
)


def test_lines_that_are_no_stack_are_passed_over() -> None:
    """Stacks are read from the outermost frame to the innermost; lines that are none are left out."""
    profile = parse(TEXT)
    assert profile.samples == 100
    assert profile.stacks["main (a.py:1)", "handle (a.py:5)"] == 10
    assert len(profile.stacks) == 4


def test_the_tree_counts_a_frame_with_all_that_it_called() -> None:
    """A frame's total is its own samples and those of the frames below it."""
    root = tree(parse(TEXT))
    main = root.children["main (a.py:1)"]
    handle = main.children["handle (a.py:5)"]
    assert (root.total, main.total, handle.total, handle.own) == (100, 100, 90, 10)
    assert [(depth, node.name) for depth, node in root.walk()][-1] == (2, "idle (a.py:3)")


@given(STACKS)
def test_every_sample_is_in_the_tree_once(stacks: dict[tuple[str, ...], int]) -> None:
    """The own samples of all frames add up to all samples, and each total to own and children."""
    profile = Profile(stacks)
    nodes = [node for _, node in tree(profile).walk()]
    assert sum(node.own for node in nodes) == profile.samples == nodes[0].total
    assert all(node.total == node.own + sum(child.total for child in node.children.values()) for node in nodes)


@given(STACKS)
def test_what_is_written_is_read_back(stacks: dict[tuple[str, ...], int]) -> None:
    """A profile written as collapsed stacks reads as the same profile."""
    text = "".join(f"{';'.join(stack)} {count}\n" for stack, count in stacks.items())
    assert parse(text) == Profile(stacks)


def test_a_function_counts_once_a_stack() -> None:
    """A function's share is that of the samples with it anywhere on the stack; recursion adds nothing."""
    profile = parse(TEXT)
    assert share_of(profile, "handle") == pytest.approx(0.9)
    assert share_of(profile, "hash") == pytest.approx(0.3)
    assert share_of(profile, "has") == 0
    assert share_of(Profile({}), "hash") == 0


def test_a_method_is_found_by_its_own_name_or_with_its_class() -> None:
    """`Cache.get` is found as `Cache.get` and as `get`, and `get` finds no `forget`."""
    profile = parse("main (a.py:1);Cache.get (a.py:2) 3\nmain (a.py:1);forget (a.py:5) 1\n")
    assert share_of(profile, "Cache.get") == share_of(profile, "get") == 0.75


def test_the_difference_is_of_shares_so_that_lengths_do_not_matter() -> None:
    """Twice the samples with the same shares are no difference; a frame of one side only has share 0 on the other."""
    before = parse("main;hot 80\nmain;cold 20\n")
    same = parse("main;hot 160\nmain;cold 40\n")
    assert all(change.delta == 0 for change in _walk(difference(before, same)))
    after = parse("main;cold 10\nmain;new 30\n")
    main = difference(before, after).children[0]
    assert {c.name: round(c.delta, 3) for c in main.children} == {"cold": 0.05, "hot": -0.8, "new": 0.75}
    assert difference(Profile({}), after).children[0].before == 0


def _walk(change: Change) -> list[Change]:
    return [change, *(below for child in change.children for below in _walk(child))]


@given(STACKS.filter(bool))
def test_own_shares_are_the_whole(stacks: dict[tuple[str, ...], int]) -> None:
    """Each sample ended in one function: the shares of all add up to 1."""
    assert sum(own_shares(Profile(stacks)).values()) == pytest.approx(1)
