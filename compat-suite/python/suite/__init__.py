"""What the tests share: servers, clients, queues, digests and the list of behaviours."""
