"""The list of behaviours is kept by the clients, and the clients keep to the list."""

from suite import behaviours


def test_list_has_no_unchecked_behaviour():
    assert sorted(set(behaviours.listed()) - set(behaviours.checked())) == []


def test_list_has_every_id_that_a_test_names():
    assert sorted(set(behaviours.checked()) - set(behaviours.listed())) == []
