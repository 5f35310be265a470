r"""Labels in LaTeX as plain Unicode text and as MathML, for pages, captions and alternative texts.

The part of LaTeX that labels of variables need is understood: `$...$` in a text, sub- and superscripts, groups, upright
text (`\mathrm`, `\text`), Greek letters, relations and operators, named functions, accents, `\frac` and `\sqrt`. A
label with anything else is shown as it was written, so that no part of it is lost.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["to_markup", "to_text"]

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ℏ", "infty": "∞", "emptyset": "∅",
    "partial": "∂", "nabla": "∇", "Re": "ℜ", "Im": "ℑ",
}  # fmt: skip
OPERATORS = {
    "times": "×", "cdot": "⋅", "pm": "±", "mp": "∓", "div": "÷", "ast": "∗", "star": "⋆", "circ": "∘", "leq": "≤",
    "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "sim": "∼", "simeq": "≃", "equiv": "≡",
    "propto": "∝", "ll": "≪", "gg": "≫", "to": "→", "rightarrow": "→", "leftarrow": "←", "in": "∈", "sum": "∑",
    "prod": "∏", "int": "∫", "perp": "⊥", "parallel": "∥", "prime": "′", "cup": "∪", "cap": "∩", "wedge": "∧",
    "vee": "∨", "langle": "⟨", "rangle": "⟩", "ldots": "…", "dots": "…", "cdots": "⋯", "mid": "|", "vert": "|",
    "Vert": "‖", "lvert": "|", "rvert": "|", "|": "‖", "{": "{", "}": "}",
}  # fmt: skip
LITERALS = {"%": "%", "$": "$", "#": "#", "&": "&", "_": "_"}
FUNCTIONS = frozenset(
    ("arccos", "arcsin", "arctan", "arg", "cos", "cosh", "det", "dim", "exp", "lim", "ln", "log", "max", "min", "sin",
     "sinh", "tan", "tanh")
)  # fmt: skip
UPRIGHT = frozenset(("mathrm", "text", "textrm", "mathsf", "operatorname", "mathbf", "textbf", "mathit", "textit"))
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307"}
MARKS = {"\u0302": "^", "\u0304": "¯", "\u0303": "~", "\u20d7": "→", "\u0307": "˙"}
"""The accents by themselves, as MathML sets them over a letter."""
SPACES = {",": "\u2009", ":": "\u2005", ";": "\u2004", " ": " ", "!": "", "quad": "\u2003", "qquad": "\u2003\u2003"}
IGNORED = frozenset(("left", "right", "big", "Big", "bigl", "bigr", "displaystyle", "rm", "limits"))
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
MATHEMATICS = re.compile(r"(?<!\\)\$(.*?)(?<!\\)\$", re.DOTALL)


class Unknown(Exception):
    """The label has LaTeX that this module does not understand."""


class Formula(ABC):
    """A part of a formula."""

    @abstractmethod
    def text(self) -> str:
        """The part as Unicode."""

    @abstractmethod
    def mathml(self) -> str:
        """The part as one element of MathML."""


@dataclass(frozen=True)
class Symbol(Formula):
    """A letter, number, operator, space or word; `element` is its element of MathML."""

    shown: str
    element: str

    def text(self) -> str:
        return self.shown

    def mathml(self) -> str:
        return f"<{self.element}>{escape(self.shown)}</{self.element.split()[0]}>"


@dataclass(frozen=True)
class Row(Formula):
    """Parts side by side."""

    parts: Sequence[Formula]

    def text(self) -> str:
        return "".join(part.text() for part in self.parts)

    def mathml(self) -> str:
        if len(self.parts) == 1:
            return self.parts[0].mathml()
        return f"<mrow>{''.join(part.mathml() for part in self.parts)}</mrow>"


@dataclass(frozen=True)
class Scripts(Formula):
    """A part with a subscript, a superscript, or both."""

    base: Formula
    below: Formula | None
    above: Formula | None

    def text(self) -> str:
        found = self.base.text()
        if self.below:
            found += _raised(self.below.text(), "_", SUBSCRIPTS)
        if self.above:
            found += _raised(self.above.text(), "^", SUPERSCRIPTS)
        return found

    def mathml(self) -> str:
        name = {(True, False): "msub", (False, True): "msup"}.get((bool(self.below), bool(self.above)), "msubsup")
        inner = "".join(part.mathml() for part in (self.base, self.below, self.above) if part)
        return f"<{name}>{inner}</{name}>"


@dataclass(frozen=True)
class Accent(Formula):
    """A part with a mark above it; the mark is a combining character."""

    base: Formula
    mark: str

    def text(self) -> str:
        return self.base.text() + self.mark

    def mathml(self) -> str:
        return f'<mover accent="true">{self.base.mathml()}<mo>{escape(MARKS[self.mark])}</mo></mover>'


@dataclass(frozen=True)
class Fraction(Formula):
    """One part over another."""

    above: Formula
    below: Formula

    def text(self) -> str:
        return f"{_grouped(self.above.text())}/{_grouped(self.below.text())}"

    def mathml(self) -> str:
        return f"<mfrac>{self.above.mathml()}{self.below.mathml()}</mfrac>"


@dataclass(frozen=True)
class Root(Formula):
    """The square root of a part."""

    inner: Formula

    def text(self) -> str:
        return f"√{_grouped(self.inner.text())}"

    def mathml(self) -> str:
        return f"<msqrt>{self.inner.mathml()}</msqrt>"


def to_text(label: str) -> str:
    r"""Convert a text with formulas between `$` to plain Unicode.

    Parameters
    ----------
    label : str
        Text, such as `$\tau_{21}$` or `is $\mu$`.

    Returns
    -------
    str
        The same without LaTeX: `τ₂₁`, `is μ`. A label that is not understood, or whose `$` do not pair, is unchanged.
    """
    try:
        return "".join(part.text() for part in _parts(label))
    except Unknown:
        return label


def to_markup(label: str) -> str:
    """Convert a text with formulas between `$` to HTML, the formulas in MathML.

    Parameters
    ----------
    label : str
        Text, see `to_text`.

    Returns
    -------
    str
        Escaped HTML. A label that is not understood, or whose `$` do not pair, is escaped as it is.
    """
    try:
        parts = _parts(label)
    except Unknown:
        return escape(label)
    return "".join(
        escape(part.text()) if isinstance(part, Symbol) else f"<math>{part.mathml()}</math>" for part in parts
    )


def _parts(label: str) -> list[Formula]:
    """Plain text as symbols, and formulas as rows, in the order of the label."""
    if len(re.findall(r"(?<!\\)\$", label)) % 2:
        raise Unknown
    pieces = MATHEMATICS.split(label)
    return [
        Row(_Parser(piece).row()) if i % 2 else Symbol(piece.replace(r"\$", "$"), "mtext")
        for i, piece in enumerate(pieces)
        if piece
    ]


def _raised(script: str, mark: str, digits: dict[int, int]) -> str:
    return script.translate(digits) if script.isdecimal() else "′" if script == "′" else f"{mark}{script}"


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text})"


class _Parser:
    """Reads one formula from left to right."""

    def __init__(self, formula: str, upright: bool = False) -> None:
        self.tokens = TOKEN.findall(formula)
        self.at = 0
        self.upright = upright

    def row(self, end: str | None = None) -> list[Formula]:
        """All parts up to a closing brace, or to the end."""
        parts: list[Formula] = []
        while self.at < len(self.tokens):
            if self.tokens[self.at] == end:
                self.at += 1
                return parts
            part = self._with_scripts()
            if part is not None:
                parts.append(part)
        if end is not None:
            raise Unknown
        return parts

    def _with_scripts(self) -> Formula | None:
        """The next part and its scripts; None where the next token shows nothing."""
        base = Row([]) if self._peek() in "^_" else self._one()
        scripts: dict[str, Formula] = {}
        while base is not None and (mark := self._peek()) in ("^", "_", "'"):
            self.at += 1
            above = scripts.get("^")
            if mark == "'":
                scripts["^"] = Row([*([above] if above else []), Symbol("′", "mo")])
            elif mark in scripts:
                raise Unknown
            else:
                scripts[mark] = self._argument()
        return Scripts(base, scripts.get("_"), scripts.get("^")) if base is not None and scripts else base

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else "end"

    def _argument(self) -> Formula:
        """The group or the single part that a command or a script applies to."""
        while self._peek().isspace():
            self.at += 1
        part = self._one() if self.at < len(self.tokens) else None
        if part is None:
            raise Unknown
        return part

    def _one(self) -> Formula | None:
        token = self.tokens[self.at]
        self.at += 1
        if token == "{":
            return Row(self.row("}"))
        if token == "}" or token == "\\":
            raise Unknown
        if token.startswith("\\"):
            return self._command(token[1:])
        return self._character(token)

    def _character(self, token: str) -> Formula | None:
        if self.upright:
            return Symbol(token, "mtext")
        if token.isspace():
            return None
        if token[0].isdecimal():
            return Symbol(token, "mn")
        if token.isalpha():
            return Symbol(token, "mi")
        return Symbol("−" if token == "-" else token, 'mo stretchy="false"' if token in "()[]|" else "mo")

    def _command(self, name: str) -> Formula | None:
        simple = self._symbol(name)
        if simple is not None:
            return simple
        if name in IGNORED or SPACES.get(name) == "":
            return None
        if name in UPRIGHT:
            return self._upright()
        if name in ACCENTS:
            return Accent(self._argument(), ACCENTS[name])
        if name in ("frac", "tfrac", "dfrac"):
            return Fraction(self._argument(), self._argument())
        if name == "sqrt" and self._peek() != "[":
            return Root(self._argument())
        raise Unknown

    @staticmethod
    def _symbol(name: str) -> Symbol | None:
        """The command if it stands for characters."""
        for known, element in ((GREEK, "mi"), (OPERATORS, "mo"), (LITERALS, "mi"), (SPACES, "mtext")):
            if known.get(name):
                return Symbol(known[name], element)
        return Symbol(name, "mi") if name in FUNCTIONS else None

    def _upright(self) -> Formula:
        before, self.upright = self.upright, True
        try:
            return _words(self._argument())
        finally:
            self.upright = before


def _words(node: Formula) -> Formula:
    """Neighbouring characters of upright text as one word."""
    if not isinstance(node, Row):
        return node
    words: list[Formula] = []
    for part in node.parts:
        last = words[-1] if words else None
        if isinstance(part, Symbol) and isinstance(last, Symbol) and part.element == last.element == "mtext":
            words[-1] = Symbol(last.shown + part.shown, "mtext")
        else:
            words.append(part)
    return Row(words)
