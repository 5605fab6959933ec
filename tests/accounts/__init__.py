"""Tests of netservices.accounts."""
