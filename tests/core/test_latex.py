"""Labels in LaTeX as text and MathML: every label of our tables, and what is not understood."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xaug.events.table
import xaug.generate.toy_table
import xaug.jets.table  # noqa: F401 - they register their tables
from xaug.core.latex import to_markup, to_text
from xaug.data import variables

LABELS = sorted({v.label for kind in variables.kinds() for v in variables.labels(kind).values()})


def read(markup: str) -> ET.Element:
    return ET.fromstring(f"<p>{markup}</p>")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (r"$\tau_{21}$", "τ₂₁"),
        (r"$\tau_{2,\mathrm{SD}}^{(0.5)}$", "τ_2,SD^(0.5)"),
        (r"$p_T/p_T^\mathrm{jet}$", "p_T/p_T^jet"),
        (r"$\ln(d_{xy,\max}/\mathrm{mm})$", "ln(d_xy,max/mm)"),
        (r"is $\mu$", "is μ"),
        (r"$|\phi_\mathrm{pull}|$", "|ϕ_pull|"),
        (r"$\Delta R(\mathrm{subjet}_1)$", "ΔR(subjet₁)"),
        (r"$\eta'$ and $m^2$", "η′ and m²"),
        (r"$\sqrt{s} = 13\,\mathrm{TeV}$", "√s=13\u2009TeV"),
        (r"$\frac{a+b}{2}$", "(a+b)/2"),
        ("plain_name", "plain_name"),
        (r"a \$ sign", "a $ sign"),
    ],
)
def test_text(label, text):
    assert to_text(label) == text


@pytest.mark.parametrize("label", LABELS)
def test_all_labels_of_our_tables_are_understood(label):
    assert not set(to_text(label)) & set("\\${}")
    found = read(to_markup(label))
    assert (found.find("math") is not None) == ("$" in label)
    letters = [character for character in to_text(label) if character.isalpha()]
    shown = "".join(found.itertext())
    assert all(letter in shown for letter in letters)


def test_scripts_have_their_places():
    math = read(to_markup(r"$\tau_{2}^{(1)}$")).find("math")
    (script,) = math
    assert script.tag == "msubsup"
    assert ["".join(child.itertext()) for child in script] == ["τ", "2", "(1)"]


@pytest.mark.parametrize(
    "label", [r"$\unknown{x}$", "a$b", "${a$", "$a_$", "$a_b_c$", "$}$", r"$\sqrt[3]{x}$", "run$1"]
)
def test_what_is_not_understood_stays_as_it_was_written(label):
    assert to_text(label) == label
    assert read(to_markup(label)).text == label


@given(st.text(alphabet="ab1 _^{}$\\<>&\"'()/", max_size=12) | st.text(max_size=12))
def test_any_text_gives_markup_that_is_well_formed_and_hides_nothing_of_its_own(label):
    safe = "".join(c for c in label if c.isprintable())
    found = read(to_markup(safe))
    assert {one.tag for one in found.iter()} <= {
        "p", "math", "mrow", "mi", "mn", "mo", "mtext", "msub", "msup", "msubsup", "mover", "mfrac", "msqrt",
    }  # fmt: skip
