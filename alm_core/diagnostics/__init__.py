"""What a cross-validation says, read from a finished run: scores, pairs, distances, Taylor diagram, classes, threshold."""
