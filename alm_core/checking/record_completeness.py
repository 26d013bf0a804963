"""Rules on what a record leaves out, and on whether its two languages say the same."""

from __future__ import annotations

import re

from alm_core.checking.phrases import FLAGS, is_chinese
from alm_core.checking.record import Record
from alm_core.checking.report import Fault, some

LONG_TEXT = 40
DECIMAL = re.compile(r"(?<![0-9A-Za-z./])\d+\.\d+(?![0-9.]*[0-9])")
NOT_MEASURED = re.compile(r"https?://\S+|\b10\.\d{4,9}/\S+|\b(?:version\s*|v)\d+(?:\.\d+)+", FLAGS)
"""Links and version numbers: decimals that are no measurements."""

MISTRANSLATIONS = (
    (r"环北极", r"(?<!circum-)arctic circle", "circum-Arctic"),
    (r"环刀", r"ring knife", "cutting ring"),
    (r"低值高估", r"low overestimation", "overestimation of low values and underestimation of high values"),
    (r"公共产品", r"public goods", "public data products"),
    (r"冻土", r"frozen earth", "frozen ground or permafrost"),
)
"""A Chinese term, a wrong rendering seen in English text, and the field's own term."""


def needed_text(record: Record) -> list[Fault]:
    """Title and abstract are there; method and quality too."""
    faults = []
    for section, severity in (("title", "error"), ("abstract", "error"), ("process", "note"), ("quality", "note")):
        if record.text(sections=(section,)) or (record.free_text and severity == "note"):
            continue
        where = {"title": "title", "abstract": "ds_abstract", "process": "ds_process_way", "quality": "ds_quality"}[section]
        elsewhere = " What the abstract says about it can be moved there." if severity == "note" else ""
        faults.append(Fault(f"{section}_missing", where, f"The {section} is empty. Fill it in.{elsewhere}", severity))
    return faults


def needed_values(record: Record) -> list[Fault]:
    """Licence, identifier and citation are there."""
    faults = []
    if "licence" not in record.values:
        text = "No licence is named: nobody knows what they may do with the data. Name one, such as CC BY 4.0."
        faults.append(Fault("licence_missing", record.where("licence"), text, "warning"))
    if "doi" not in record.values:
        held = record.values.get("identifier")
        text = f"No DOI is given (the record has {held})." if held else "Neither a DOI nor another lasting identifier is given."
        text += " Readers outside the catalogue can't cite the data: register one."
        faults.append(Fault("doi_missing", record.where("doi"), text, "note" if held else "warning"))
    if "citation" not in record.values and not record.free_text:
        text = "No citation is given. Say how the data are to be cited."
        faults.append(Fault("citation_missing", record.where("citation"), text, "note"))
    return faults


def untranslated(record: Record) -> list[Fault]:
    """What one language says, the other says too, in that language."""
    faults = []
    chinese, english = (record.texts.get(language, {}) for language in ("zh", "en"))
    for section in sorted(set(chinese) | set(english)):
        ours, theirs = chinese.get(section, ""), english.get(section, "")
        for name, present, absent in (("English", ours, theirs), ("Chinese", theirs, ours)):
            if len(present) > LONG_TEXT and not absent and any((chinese if name == "Chinese" else english).values()):
                text = f"The {section} has no {name} text. Translate it."
                faults.append(Fault("translation_missing", section, text, "note"))
        if len(theirs) > LONG_TEXT and is_chinese(theirs):
            text = "The English text is in Chinese. Translate it."
            faults.append(Fault("translation_missing", f"{section} (en)", text, "note"))
    return faults


def terms(record: Record) -> list[Fault]:
    """English uses the field's terms for what the Chinese says."""
    faults = []
    chinese = record.text("zh")
    for language, section, text in record.parts():
        for term, wrong, right in MISTRANSLATIONS:
            found = re.search(wrong, text, FLAGS) if language == "en" else None
            if found and re.search(term, chinese):
                message = f'"{found[0]}" stands for {term}: "{right}" is the term.'
                faults.append(Fault("translation_term", f"{section} (en)", message, "note"))
    return faults


def numbers_agree(record: Record) -> list[Fault]:
    """Both languages give the same decimal numbers."""
    faults = []
    for section in ("abstract", "quality", "process", "source"):
        texts = [record.texts.get(language, {}).get(section, "") for language in ("zh", "en")]
        if not all(len(text) > LONG_TEXT for text in texts):
            continue
        chinese, english = ({float(number) for number in DECIMAL.findall(NOT_MEASURED.sub(" ", text))} for text in texts)
        if chinese == english:
            continue
        only = [f"{number:g} only in Chinese" for number in sorted(chinese - english)]
        only += [f"{number:g} only in English" for number in sorted(english - chinese)]
        message = f"The two languages give different numbers: {some(only)}. Make them agree."
        faults.append(Fault("languages_disagree", section, message, "warning"))
    return faults


RULES = (needed_text, needed_values, untranslated, terms, numbers_agree)
