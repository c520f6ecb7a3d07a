"""ListQueues."""

import pytest

from suite.service import unique


@pytest.fixture
def five(sqs):
    """A prefix and the URLs of its five queues."""
    prefix = unique("List")
    names = [f"{prefix}-{i}" for i in range(5)]
    return prefix, [sqs.adopt(n, sqs.create_queue(QueueName=n)["QueueUrl"]).url for n in names]


@pytest.mark.behaviour("listing-01", "listing-03", "listing-04")
def test_prefix(sqs, five):
    prefix, urls = five
    answer = sqs.list_queues(QueueNamePrefix=prefix)
    assert sorted(answer["QueueUrls"]) == urls
    assert "NextToken" not in answer
    assert sqs.list_queues(QueueNamePrefix=prefix + "-3")["QueueUrls"] == [urls[3]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=prefix.lower())
    assert set(urls) <= set(sqs.list_queues().get("QueueUrls", []))


@pytest.mark.behaviour("listing-02")
def test_pages(sqs, five):
    prefix, urls = five
    first = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    assert len(first["QueueUrls"]) == 2
    assert first["NextToken"]
    paginator = sqs.get_paginator("list_queues")
    pages = list(paginator.paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}))
    assert [len(page["QueueUrls"]) for page in pages] == [2, 2, 1]
    assert sorted(url for page in pages for url in page["QueueUrls"]) == urls


@pytest.mark.behaviour("listing-05")
@pytest.mark.parametrize("size", [0, 1001, -1])
def test_page_sizes(sqs, size):
    with sqs.refuses("InvalidParameterValue"):
        sqs.list_queues(MaxResults=size)
