"""How to cite a map: as a sentence in English and Chinese, as BibTeX and as RIS, and what else must be cited with it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from alm_core.options import StudyOptions
from alm_core.publishing.provenance import created, software_version
from alm_core.workspace import Run

SOFTWARE = "Active Layer Mapper"
DOI = re.compile(r"10\.\d{4,9}/[^\s\"'<>,;()\[\]]+")
TRAILING = ".:"
MADE_UP = "simulated"
"""Source of layers that nobody can cite."""
BIBTEX_ESCAPES = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "$": r"\$"}
SENTENCES = {
    "en": {
        "simulated": "[SIMULATED DATA]",
        "map": "{title}. Run {run} of {date}, made with {software} {version}.",
        "target": "Mapped quantity: {target}.",
        "study": "Study: {citation}.",
        "licence": "Licence: {licence}.",
        "sources": "Covariates: {sources}.",
    },
    "zh": {
        "simulated": "【模拟数据】",
        "map": "{title}。运行编号 {run}，{date}，由 {software} {version} 生成。",
        "target": "制图变量：{target}。",
        "study": "研究：{citation}。",
        "licence": "许可：{licence}。",
        "sources": "协变量来源：{sources}。",
    },
}


@dataclass(frozen=True)
class Citation:
    """How to cite the map of a run.

    Attributes
    ----------
    text : dict of str to str
        Plain sentence by language, ``en`` and ``zh``.
    bibtex, ris : str
        Records for reference managers.
    dois : tuple of str
        DOIs named by the study and by the sources of its covariates: cite them as well.
    sources : dict of str to tuple of str
        Source text to the covariates that come from it; those that the study offered to the learners.
    """

    text: dict[str, str]
    bibtex: str
    ris: str
    dois: tuple[str, ...]
    sources: dict[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def cite(run: Run) -> Citation:
    """Gather the citation of a run from its record.

    The sentence holds the run id, so that a reader can tell which of several maps of one study was used, and says where data
    are simulated.
    """
    options = StudyOptions.model_validate(run.record["options"])
    date = created(run)[:10]
    sources = covariate_sources(options)
    dois = find_dois(" ".join([options.study.citation, options.study.description, *sources]))
    return Citation(
        text={language: _sentence(language, run, options, date, sources) for language in SENTENCES},
        bibtex=_bibtex(run, options, date, dois),
        ris=_ris(run, options, date, dois),
        dois=dois,
        sources=sources,
    )


def covariate_sources(options: StudyOptions) -> dict[str, tuple[str, ...]]:
    """Sources of the covariates as the study names them, each with its layers; a layer without a source is left out."""
    found: dict[str, list[str]] = {}
    for layer in options.covariates:
        if layer.source:
            found.setdefault(layer.source, []).append(layer.name)
    return {source: tuple(names) for source, names in found.items()}


def find_dois(text: str) -> tuple[str, ...]:
    """DOIs in a text, each once, in order.

    Examples
    --------
    >>> find_dois("see https://doi.org/10.5194/essd-1-2-2020. and 10.1000/182, 10.1000/182")
    ('10.5194/essd-1-2-2020', '10.1000/182')
    """
    return tuple(dict.fromkeys(found.rstrip(TRAILING) for found in DOI.findall(text)))


def _title(options: StudyOptions) -> str:
    return (options.study.title or options.study.name).rstrip(".")


def _target(options: StudyOptions) -> str:
    name = options.target.description or options.target.name
    return f"{name} ({options.target.unit})" if options.target.unit not in ("", "1") else name


def _sentence(language: str, run: Run, options: StudyOptions, date: str, sources: dict[str, tuple[str, ...]]) -> str:
    words = SENTENCES[language]
    gap = " " if language == "en" else ""
    parts = [words["simulated"]] if options.study.simulated else []
    parts.append(
        words["map"].format(title=_title(options), run=run.id, date=date, software=SOFTWARE, version=software_version(run))
    )
    parts.append(words["target"].format(target=_target(options)))
    if options.study.citation:
        parts.append(words["study"].format(citation=options.study.citation.rstrip(".")))
    named = [source.rstrip(".") for source in sources if source.lower() != MADE_UP]
    if named:
        parts.append(words["sources"].format(sources="; ".join(named)))
    if options.study.licence:
        parts.append(words["licence"].format(licence=options.study.licence))
    return gap.join(parts)


def _note(run: Run, options: StudyOptions) -> str:
    mark = "SIMULATED DATA; " if options.study.simulated else ""
    return f"{mark}run {run.id} of study {options.study.name}, {SOFTWARE} {software_version(run)}"


def _bibtex(run: Run, options: StudyOptions, date: str, dois: tuple[str, ...]) -> str:
    fields = {
        "title": _title(options),
        "year": date[:4],
        "month": str(int(date[5:7])),
        "note": _note(run, options),
        "version": run.id,
        "abstract": _target(options),
        "howpublished": options.study.citation,
        "copyright": options.study.licence,
        "keywords": ", ".join(dois),
    }
    lines = [f"  {name} = {{{_escaped(value)}}}," for name, value in fields.items() if value]
    # Two pairs of braces: the name of a program is no first name and surname.
    author = f"  author = {{{{{SOFTWARE}}}}},"
    return "\n".join([f"@misc{{{options.study.name}-{run.id},", author, *lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return "".join(BIBTEX_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))


def _ris(run: Run, options: StudyOptions, date: str, dois: tuple[str, ...]) -> str:
    lines = [
        ("TY", "DATA"),
        ("TI", _title(options)),
        ("AU", SOFTWARE),
        ("PY", date[:4]),
        ("DA", date.replace("-", "/")),
        ("ET", f"run {run.id}"),
        ("AB", _target(options)),
        ("N1", _note(run, options)),
        *([("N1", options.study.citation)] if options.study.citation else []),
        *([("C1", options.study.licence)] if options.study.licence else []),
        *(("KW", doi) for doi in dois),
        ("ER", ""),
    ]
    return "\r\n".join(f"{tag}  - {' '.join(value.split())}" for tag, value in lines) + "\r\n"
