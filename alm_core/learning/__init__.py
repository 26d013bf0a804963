"""Learners, folds, validation, metrics, selection, fusion, bias, uncertainty, applicability, explanation."""
