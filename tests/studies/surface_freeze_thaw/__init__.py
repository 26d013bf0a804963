"""Tests of the simulated study of freezing and thaw."""
