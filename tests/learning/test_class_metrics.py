"""Scores of classes against scikit-learn and the worked example of Olofsson et al. (2014)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from alm_core.errors import DomainError, SitesError
from alm_core.learning.class_metrics import area_adjusted_accuracy, class_codes, class_scores, confusion_matrix


@pytest.fixture
def sample():
    """Four classes, uneven; probabilities that are right about two in three times."""
    rng = np.random.default_rng(0)
    y = rng.choice(4, 500, p=[0.5, 0.3, 0.15, 0.05])
    p = rng.dirichlet(np.ones(4), 500)
    p[np.arange(500), y] += 0.6
    return y, p / p.sum(axis=1, keepdims=True)


def test_scores_equal_scikit_learn(sample):
    """From labels and from probabilities."""
    y, p = sample
    labels = p.argmax(axis=1)
    scores = class_scores(y, p)
    assert scores["overall_accuracy"] == pytest.approx(oracle.accuracy_score(y, labels), abs=1e-12)
    assert scores["kappa"] == pytest.approx(oracle.cohen_kappa_score(y, labels), abs=1e-12)
    assert scores["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(y, labels), abs=1e-12)
    assert scores["mcc"] == pytest.approx(oracle.matthews_corrcoef(y, labels), abs=1e-12)
    assert scores["f1_macro"] == pytest.approx(oracle.f1_score(y, labels, average="macro"), abs=1e-12)
    assert scores["log_loss"] == pytest.approx(oracle.log_loss(y, p), abs=1e-12)
    users, producers, f1, _ = oracle.precision_recall_fscore_support(y, labels)
    for name, expected in (("users_accuracy", users), ("producers_accuracy", producers), ("f1", f1)):
        np.testing.assert_allclose(list(scores[name].values()), expected, atol=1e-12)
    np.testing.assert_array_equal(scores["confusion"], oracle.confusion_matrix(y, labels).T)
    only_labels = class_scores(y, labels)
    assert "brier" not in only_labels
    assert only_labels["kappa"] == scores["kappa"]


def test_brier_of_two_classes_is_twice_scikit_learns(sample):
    """Summed over classes, as Brier wrote it."""
    y, p = sample
    two = np.stack([p[:, 0], 1 - p[:, 0]], axis=1)
    brier = class_scores((y != 0).astype(int), two)["brier"]
    assert brier == pytest.approx(2 * oracle.brier_score_loss(y == 0, p[:, 0]), abs=1e-12)


def test_disagreement_splits_into_quantity_and_allocation():
    """By hand: all shares right but places wrong, and the other way round."""
    swapped = class_scores(np.array([0, 1, 0, 1]), np.array([1, 0, 0, 1]))
    assert (swapped["quantity_disagreement"], swapped["allocation_disagreement"]) == (0.0, 0.5)
    all_one = class_scores(np.array([0, 1, 0, 1]), np.array([1, 1, 1, 1]))
    assert (all_one["quantity_disagreement"], all_one["allocation_disagreement"]) == (0.5, 0.0)


def test_names_and_missing_values():
    """Texts work as labels, in the order given; missing ones are counted."""
    y = np.array(["frozen", "thawed", None, "thawed"], dtype=object)
    f = np.array(["frozen", "frozen", "frozen", "thawed"], dtype=object)
    scores = class_scores(y, f, labels=["thawed", "frozen"])
    assert (scores["count"], scores["missing"]) == (3, 1)
    assert scores["classes"] == ["thawed", "frozen"]
    assert scores["users_accuracy"] == {"thawed": 1.0, "frozen": 0.5}
    assert class_scores(y, f)["classes"] == ["frozen", "thawed"]
    p = np.array([[0.9, 0.1], [np.nan, np.nan], [0.2, 0.8]])
    assert class_scores(np.array([0, 0, 1]), p)["missing"] == 1
    assert class_codes(np.array([3.0, np.nan, 1.0]), [1, 3]).tolist() == [1, -1, 0]


def test_a_class_never_seen_is_nan_and_leaves_means_alone():
    """No division by zero."""
    scores = class_scores(np.array([0, 1, 1]), np.array([0, 1, 1]), labels=[0, 1, 2])
    assert np.isnan(scores["f1"]["2"])
    assert scores["f1_macro"] == scores["balanced_accuracy"] == 1
    assert np.isnan(class_scores(np.zeros(3, int), np.zeros(3, int))["kappa"])


def test_area_adjusted_accuracy_repeats_the_published_example():
    """Olofsson et al. (2014), table 8 and section 5: accuracies, areas in hectares and their 95 % intervals."""
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
    pixels = np.array([200_000, 150_000, 3_200_000, 6_450_000])
    found = area_adjusted_accuracy(counts, pixels * 0.09)
    assert found["overall_accuracy"] == pytest.approx(0.947, abs=5e-4)
    assert 1.96 * found["overall_accuracy_se"] == pytest.approx(0.0185, abs=5e-4)
    np.testing.assert_allclose(found["users_accuracy"], [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(1.96 * np.array(found["users_accuracy_se"]), [0.07, 0.10, 0.04, 0.02], atol=0.005)
    np.testing.assert_allclose(found["producers_accuracy"], [0.75, 0.85, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(found["area"], [21_158, 11_686, 285_770, 581_386], atol=1)
    np.testing.assert_allclose(1.96 * np.array(found["area_se"]), [6_158, 3_756, 15_510, 16_282], atol=2)


def test_producers_accuracy_error_is_that_of_the_delta_method():
    """Numerical derivatives of the ratio, times the covariance of each stratum's shares."""
    counts, area = np.array([[66.0, 3, 5], [2, 55, 8], [9, 4, 153]]), np.array([0.1, 0.2, 0.7])
    rows = counts.sum(axis=1)

    def producers(within):
        share = area[:, None] * within
        return np.diag(share) / share.sum(axis=0)

    within = counts / rows[:, None]
    variance = np.zeros(3)
    for row in range(3):
        slopes = []
        for column in range(3):
            step = np.zeros((3, 3))
            step[row, column] = 1e-6
            slopes.append((producers(within + step) - producers(within - step)) / 2e-6)
        covariance = (np.diag(within[row]) - np.outer(within[row], within[row])) / (rows[row] - 1)
        variance += np.einsum("ck,cd,dk->k", slopes, covariance, slopes)
    found = area_adjusted_accuracy(counts, area)
    np.testing.assert_allclose(found["producers_accuracy_se"], np.sqrt(variance), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "fault", "words"),
    [
        (lambda: class_scores(np.array([0, 1]), np.array([0, 1, 1])), DomainError, "shape"),
        (lambda: class_scores(np.array([0, 5]), np.eye(2)), DomainError, "not among"),
        (lambda: class_scores(np.array([0, 1]), np.eye(2), labels=["a", "b", "c"]), DomainError, "2 columns"),
        (lambda: class_scores(np.array([-1, -1]), np.eye(2)), SitesError, "nothing can be scored"),
        (lambda: confusion_matrix(np.array([0, 3]), np.array([0, 1]), 2), DomainError, "outside 0 to 1"),
        (lambda: area_adjusted_accuracy(np.eye(2), np.ones(2)), SitesError, "fewer than 2"),
        (lambda: area_adjusted_accuracy(np.eye(2), np.ones(3)), DomainError, "one area"),
    ],
)
def test_bad_input_is_named(call, fault, words):
    """One clear message each."""
    with pytest.raises(fault, match=words):
        call()
