"""The words of a printed map, in English and Chinese, and a font that has them."""

from __future__ import annotations

from functools import lru_cache

CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "SimSun",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
PLAIN_FONT = "DejaVu Sans"
WORDS = {
    "en": {
        "outside": "outside the area of applicability",
        "no_trend": "no trend proved (p ≥ 0.05)",
        "class_inside": "inside",
        "class_outside": "outside",
        "lakes": "lakes",
        "rivers": "rivers",
        "unmapped": "not mapped",
        "area": "area of the figure",
        "simulated": "SIMULATED DATA",
        "run": "Run {run} of {study}, scenario {scenario}",
        "own_run": "Run {run} of {study}",
        "relief": "Relief: the study's elevation",
        "vectors": "lakes and rivers: Natural Earth",
        "level": "{level} prediction interval",
        "kilometres": "km",
        "metres": "m",
        "north": "N",
    },
    "zh": {
        "outside": "适用范围（AOA）之外",
        "no_trend": "趋势未得到证实（p ≥ 0.05）",
        "class_inside": "之内",
        "class_outside": "之外",
        "lakes": "湖泊",
        "rivers": "河流",
        "unmapped": "未制图",
        "area": "图示区域",
        "simulated": "模拟数据",
        "run": "运行 {run}，研究 {study}，情景 {scenario}",
        "own_run": "运行 {run}，研究 {study}",
        "relief": "地形：本研究的高程",
        "vectors": "湖泊与河流：Natural Earth",
        "level": "{level} 预测区间",
        "kilometres": "km",
        "metres": "m",
        "north": "北",
    },
}
LAYER_NAMES = {
    "en": {
        "fused": "{target}",
        "lower": "{target}, lower bound",
        "upper": "{target}, upper bound",
        "width": "{target}, width of the interval",
        "dissimilarity": "Dissimilarity index",
        "density": "Local density of sites",
        "inside": "Area of applicability",
        "margin": "Margin between the two most probable classes",
        "change": "{target}, change from the first to the last period",
        "trend_per_decade": "{target}, trend per decade",
        "p_value": "{target}, p value of the trend",
        "beyond_interval": "{target}, change beyond the intervals",
        "difference": "{target} less {name}",
        "member": "{target} by {name}",
        "probability": "Probability of {name}",
        "shap": "Contribution of {name} to {target}",
    },
    "zh": {
        "change": "{target}，首末时段之间的变化",
        "trend_per_decade": "{target}，每十年趋势",
        "p_value": "{target}，趋势的 p 值",
        "beyond_interval": "{target}，变化是否超出区间",
        "difference": "{target}减 {name}",
        "fused": "{target}",
        "lower": "{target}，区间下限",
        "upper": "{target}，区间上限",
        "width": "{target}，区间宽度",
        "dissimilarity": "差异指数（DI）",
        "density": "局部样点密度",
        "inside": "适用范围（AOA）",
        "margin": "前两类概率之差",
        "member": "{target}（{name}）",
        "probability": "{name} 的概率",
        "shap": "{name} 对 {target} 的贡献",
    },
}


@lru_cache(maxsize=1)
def chinese_font() -> str | None:
    """Family name of an installed font with Chinese characters; None where there is none."""
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE_FONTS if name in installed), None)


def has_chinese(text: str) -> bool:
    """True where a text has characters that the plain font lacks.

    Examples
    --------
    >>> has_chinese("活动层"), has_chinese("m³ m⁻³")
    (True, False)
    """
    return any("\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" for character in text)


def drawable(text: str, *, instead: str = "") -> str:
    """The text, or `instead` where no installed font could draw it."""
    return instead if has_chinese(text) and chinese_font() is None else text
