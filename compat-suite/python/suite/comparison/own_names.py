"""Names of queues and topics that are the same in every run but for the tag of the run."""

import hashlib


def own_part(test):
    """Seven characters that the names of everything this test makes have in them."""
    return hashlib.sha256(test.encode()).hexdigest()[:7]


def suffix(tag, test, number):
    """The last sixteen characters of a name: the tag of the run, the test, and a number."""
    return f"{tag}{own_part(test)}{number:03}"
