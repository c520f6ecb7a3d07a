"""Runs the tests of boto3 against two servers and finds where the answers differ. See README.md of the suite."""
