"""Rules on how a record says its data were made: tasks and metrics, counted lists, validation, scores."""

from __future__ import annotations

import re

from alm_core.checking.phrases import FLAGS, bracketed_lists, counted_lists, sentences
from alm_core.checking.record import Record
from alm_core.checking.report import Fault, some

CLASSIFICATION = re.compile(
    r"classification (?:algorithm|model|method|learner)s?|\bclassifiers?\b|分类(?:算法|模型|方法|器)", FLAGS
)
REGRESSION_SCORE = re.compile(r"\bRMSE\b|均方根误差|\bR\s*[²2]\b|R²|\bMAE\b|决定系数|root mean square", FLAGS)
CLASS_SCORE = re.compile(r"overall accuracy|总体精度|kappa|confusion|混淆矩阵|\bF1\b|\bAUC\b", FLAGS)
INDEPENDENT = re.compile(r"\bindependent(?:ly)?\b(?! (?:of|variable|predictor))|独立", FLAGS)
RANDOM_SPLIT = re.compile(
    r"random(?:ly)?\b[^.]{0,40}?\b(?:divid|split|partition|separat|assign)|\b(?:divid|split|partition)\w*[^.]{0,30}?\brandom|"
    r"随机[^，。]{0,6}(?:分为|划分|拆分|分成|抽取)",
    FLAGS,
)
SCORE = re.compile(r"R\s*(?:²|2|\^2)\s*(?:of|was|is|为|=|≈|:|：)?\s*(-?\d+(?:\.\d+)?)(?!\d|\.\d)", FLAGS)
ACCURACY = re.compile(r"(?:accurac(?:y|ies)|精度)[^\d%。.]{0,20}(\d+(?:\.\d+)?)\s*%", FLAGS)
SHARED_ITEMS = 2
"""Items that two lists must share to be lists of the same kind of thing."""


def task_of_learner(record: Record) -> list[Fault]:
    """Learners that are scored by RMSE and R2 alone are regressors."""
    found = [(f"{section} ({language})", CLASSIFICATION.search(text)) for language, section, text in record.parts()]
    found = [(where, match[0]) for where, match in found if match]
    text = record.text()
    scores = sorted({match[0] for match in REGRESSION_SCORE.finditer(text)})
    if not found or not scores or CLASS_SCORE.search(text):
        return []
    message = (
        f"The learners are called {found[0][1]!r}, but their scores are {some(scores)}, which belong to regression. "
        "Call them regression algorithms, or give the scores of classes."
    )
    return [Fault("regression_called_classification", some([where for where, _ in found]), message)]


def list_counts(record: Record) -> list[Fault]:
    """A list holds as many items as the text says."""
    faults = []
    for language, section, text in record.parts():
        for found in counted_lists(text):
            if found.fewest <= found.claimed <= found.most:
                continue
            items = some(list(found.items), limit=14)
            message = f"{found.claimed} {found.what} are claimed and {len(found.items)} listed ({items}). Make the two agree."
            faults.append(Fault("list_count", f"{section} ({language})", message))
    return faults


def list_lacks_used(record: Record) -> list[Fault]:
    """What the method uses stands in the list that claims to be complete."""
    faults = []
    for language in record.texts:
        parts = [(section, text) for name, section, text in record.parts() if name == language]
        claims = [(section, found) for section, text in parts for found in counted_lists(text)]
        used = [(section, items) for section, text in parts for items in bracketed_lists(text)]
        for claim_section, claim in claims:
            for section, items in used:
                lacking = [item for item in items if item not in claim.items]
                if len(items) - len(lacking) < SHARED_ITEMS or not lacking:
                    continue
                message = (
                    f"{section} uses {some(lacking)}, which is not among the {claim.claimed} {claim.what} "
                    f"that {claim_section} lists ({some(list(claim.items), 14)}). Add it, or correct the method."
                )
                faults.append(Fault("list_lacks_used", f"{claim_section}, {section} ({language})", message))
    return faults


def independent_split(record: Record) -> list[Fault]:
    """A random part of one sample is not called independent."""
    where, quoted = [], ""
    for language, section, text in record.parts():
        for sentence in sentences(text):
            if INDEPENDENT.search(sentence) and RANDOM_SPLIT.search(sentence):
                where.append(f"{section} ({language})")
                quoted = quoted or sentence[:120]
    if not where:
        return []
    message = (
        f'A random part of the same sample is called independent ("{quoted}..."): near sites fall into both parts and the score '
        "comes out too good. Validate with other areas, years or sensors, or drop the word."
    )
    return [Fault("independent_random_split", some(where), message)]


def scores(record: Record) -> list[Fault]:
    """Scores lie where scores can lie."""
    faults = []
    for language, section, text in record.parts():
        high = [match[0] for match in SCORE.finditer(text) if float(match[1]) > 1]
        high += [match[0] for match in ACCURACY.finditer(text) if float(match[1]) > 100]
        if high:
            message = f"{some(high)}: R2 can't exceed 1, nor an accuracy 100 %. Check the numbers."
            faults.append(Fault("score_impossible", f"{section} ({language})", message))
    return faults


RULES = (task_of_learner, list_counts, list_lacks_used, independent_split, scores)
