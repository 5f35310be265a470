"""Variables, blocks and tables: what a dataset says about its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xaug.core.errors import ConfigurationError, DatasetError, unknown_name
from xaug.core.files import digest_json
from xaug.core.latex import to_text
from xaug.core.types import JsonObject
from xaug.data.code import code_digest

__all__ = ["GROUPS", "PADDING", "PROPERTIES", "Block", "Table", "Variable"]

GROUPS = ("kinematic", "substructure", "flavour", "image", "list", "event")
"""Groups of variables, by which figures and selections tell them apart."""
PLUGIN = "plugin"
"""Reference of variables that a file of the user defines."""
PROPERTIES = frozenset(("id", "charge", "dxy", "dz", "phi", "vertex"))
"""Properties that files of some formats lack: the kind of particles, their charge, transverse and longitudinal
displacement, the azimuth of jets, and the vertex as a point in space."""
PADDING = 0.0
"""Padded particles are 0 in every column, before and after scaling; the mask tells them apart."""


@dataclass(frozen=True)
class Variable:
    """One input variable: one column of a block.

    Parameters
    ----------
    name : str
        how files and commands call it
    label : str
        LaTeX, without the unit; default: the name
    unit : str
        "" if dimensionless
    group : str
        one of GROUPS
    reference : str
        where it is defined
    compute : callable, optional
        gives the values (n,) or (n, particles) of the objects that the kind of dataset is made of; None where the
        variable is drawn and not computed, and for variables that are read from disk
    padding : float, optional
        value where there is no particle; None where every place has one
    code : str
        digest of the code that computed the values, for variables that are read from disk; "" if it is not known
    needs : tuple of str
        properties of `PROPERTIES` without which it cannot be computed
    """

    name: str
    label: str = ""
    unit: str = ""
    group: str = ""
    reference: str = ""
    compute: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    padding: float | None = None
    code: str = field(default="", compare=False, repr=False)
    needs: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", self.name)

    @property
    def text(self) -> str:
        """Label as plain text, for captions and tables."""
        return to_text(self.label)

    @property
    def axis_label(self) -> str:
        """Label with unit, as it stands at an axis."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label

    @property
    def function(self) -> Callable[..., Any]:
        """The function that computes the variable.

        Raises
        ------
        ConfigurationError
            if the variable is not computed
        """
        if self.compute is None:
            raise ConfigurationError(f"variable {self.name!r} has no function; give it one as `compute`")
        return self.compute

    def code_content(self) -> tuple[object, ...]:
        """Say what decides the numbers of the variable, for digests of code that uses it.

        Returns
        -------
        tuple
            name, function and padding, but not label or unit
        """
        return self.name, self.compute, self.padding

    @property
    def digest(self) -> str:
        """Digest of the code that computes the values, or computed those on disk; "" if it is not known."""
        return code_digest(self.compute) if self.compute is not None else self.code

    def to_json(self) -> JsonObject:
        """Describe the variable as plain data, without what is empty and without its function.

        Returns
        -------
        dict
            Its fields, and the digest of its code.
        """
        content = {"name": self.name, "label": self.label, "unit": self.unit, "group": self.group}
        content |= {"reference": self.reference, "code": self.digest}
        return {key: value for key, value in content.items() if value} | (
            {} if self.padding is None else {"padding": self.padding}
        )

    @classmethod
    def from_json(cls, content: JsonObject) -> Variable:
        """Read what `to_json` wrote.

        Parameters
        ----------
        content : dict
            The plain data.

        Returns
        -------
        Variable
            The variable, without its function.
        """
        return cls(
            content["name"],
            content["label"] if "label" in content else content["name"],
            content.get("unit", ""),
            content.get("group", ""),
            content.get("reference", ""),
            padding=content.get("padding"),
            code=content.get("code", ""),
        )


@dataclass(frozen=True)
class Block:
    """One block of inputs of a dataset.

    Attributes
    ----------
    name : str
        "image", "list", "xaug" or "event"
    variables : tuple of Variable
        its columns, in order; their axis is the last of the array
    shape : tuple of int
        axes between that of the events and that of the columns: (20,) for a list of 20 particles
    selections : dict
        named choices of variables, beside "all" and "none"
    """

    name: str
    variables: tuple[Variable, ...]
    shape: tuple[int, ...] = ()
    selections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = self.names
        for name in own:
            if own.count(name) > 1:
                raise ConfigurationError(f"block {self.name!r} has two columns named {name!r}; give one another name")
        for choice, chosen in self.selections.items():
            for name in chosen:
                if name not in own:
                    raise unknown_name(f"variable of the selection {choice!r}", name, own)

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [variable.name for variable in self.variables]

    @property
    def is_padded(self) -> bool:
        """Whether places of the block can be empty."""
        return any(variable.padding is not None for variable in self.variables)

    def without_code(self) -> Block:
        """The block as a file can hold it."""
        return replace(self, variables=tuple(replace(v, compute=None, code=v.digest) for v in self.variables))


@dataclass(frozen=True)
class Table:
    """All variables of a kind of dataset.

    Attributes
    ----------
    kind : str
        "jets", "toy", "events", ...
    blocks : dict
        block name -> Block
    """

    kind: str
    blocks: Mapping[str, Block]

    def __post_init__(self) -> None:
        places: dict[str, str] = {}
        for block in self.blocks.values():
            for name in block.names:
                if name in places:
                    raise ConfigurationError(
                        f"kind {self.kind!r}: blocks {places[name]!r} and {block.name!r} both have a column named "
                        f"{name!r}; give one another name"
                    )
                places[name] = block.name

    def block(self, name: str) -> Block:
        """One block; ConfigurationError if this kind of dataset does not have it."""
        if name not in self.blocks:
            raise unknown_name(f"block of {self.kind}", name, self.blocks)
        return self.blocks[name]

    def names(self, block: str) -> list[str]:
        """Names of the columns of a block, in order."""
        return self.block(block).names

    def variables(self, block: str) -> tuple[Variable, ...]:
        """Variables of a block, in column order."""
        return self.block(block).variables

    def labels(self) -> dict[str, Variable]:
        """All variables by name, for plots and tables."""
        return {variable.name: variable for block in self.blocks.values() for variable in block.variables}

    def block_shape(self, block: str, columns: int) -> tuple[int, ...]:
        """Shape of so many columns of a block, without the axis of events."""
        return (*self.block(block).shape, columns)

    @property
    def is_padded(self) -> bool:
        """Whether lists can be shorter than their length, so that a mask goes with them."""
        return "list" in self.blocks and self.blocks["list"].is_padded

    def fields(self, blocks: Iterable[str] | None = None) -> list[str]:
        """The fields of a dataset that hold some blocks (default: all): themselves, and the mask of a padded list."""
        chosen = list(self.blocks if blocks is None else blocks)
        return [*chosen, *(["mask"] if "list" in chosen and self.is_padded else [])]

    def select(self, block: str, choice: str | Iterable[str]) -> list[str]:
        """Names of the variables that a choice means, in the order of the table.

        Parameters
        ----------
        block : str
            "xaug", "list" or "event"
        choice : str or list of str
            names of variables, "all", "none" or names of the block's selections, together (a list, or separated by
            commas)

        Raises
        ------
        ConfigurationError
            if a name is unknown; the message suggests the nearest
        """
        if isinstance(choice, str):
            choice = [name.strip() for name in choice.split(",") if name.strip()]
        choice = list(choice)
        if block not in self.blocks and choice in ([], ["none"]):
            return []  # nothing of a block that is not there
        own = self.block(block)
        known = own.names
        named: dict[str, Iterable[str]] = {"all": known, "none": (), **own.selections}
        chosen = {name for part in choice for name in named.get(part, [part])}
        for name in sorted(chosen):
            if name not in known:
                raise unknown_name(f"{block} variable", name, [*named, *known])
        return [name for name in known if name in chosen]

    def only(self, columns: Mapping[str, Iterable[str]]) -> Table:
        """The table of some columns, given by block, in the order given."""
        known = self.labels()
        blocks = {
            name: Block(name, tuple(known[column] for column in chosen), self.block(name).shape)
            for name, chosen in columns.items()
        }
        return Table(self.kind, blocks)

    def holding(self, properties: Iterable[str]) -> Table:
        """The table of the variables that can be computed of these properties; blocks without any are left out."""
        known = set(properties)
        blocks = {}
        for name, block in self.blocks.items():
            kept = tuple(v for v in block.variables if known.issuperset(v.needs))
            names = {v.name for v in kept}
            chosen = {key: tuple(n for n in own if n in names) for key, own in block.selections.items()}
            if kept:
                blocks[name] = Block(name, kept, block.shape, chosen)
        return Table(self.kind, blocks)

    def without_code(self) -> Table:
        """The table as a file can hold it."""
        return Table(self.kind, {name: block.without_code() for name, block in self.blocks.items()})

    def drawn_by(self, function: Callable[..., Any]) -> Table:
        """The table of variables that one function draws all together; its code is that of each of them."""
        code = code_digest(function)
        blocks = {
            name: replace(block, variables=tuple(replace(v, compute=None, code=code) for v in block.variables))
            for name, block in self.blocks.items()
        }
        return Table(self.kind, blocks)

    @property
    def digest(self) -> str:
        """Digest of the names, shapes and code of all columns: what decides the numbers."""
        return digest_json(
            {name: [block.shape, [(v.name, v.digest) for v in block.variables]] for name, block in self.blocks.items()}
        )

    def changes(self, now: Table) -> list[str]:
        """How another table differs in what it computes, one line for each variable.

        Variables whose code is not known, as those of version 0.1, count as unchanged.
        """
        old, new = self.labels(), now.labels()
        changed = [f"the code of {name!r} changed" for name, v in old.items() if name in new and _differ(v, new[name])]
        gone = [f"{name!r} is gone" for name in old if name not in new]
        return [*changed, *gone, *(f"{name!r} is new" for name in new if name not in old)]

    def redefined(self, other: Table, names: Iterable[str]) -> list[str]:
        """Variables of plugins, of some names, that another table computes by other code."""
        old, new = self.labels(), other.labels()
        return [
            name for name in names if name in new and old[name].reference == PLUGIN and _differ(old[name], new[name])
        ]

    def to_json(self) -> JsonObject:
        """The table as plain data."""
        return {
            "kind": self.kind,
            "blocks": {
                name: {
                    "shape": list(block.shape),
                    "columns": [variable.to_json() for variable in block.variables],
                    "selections": {choice: list(chosen) for choice, chosen in block.selections.items()},
                }
                for name, block in self.blocks.items()
            },
        }

    @classmethod
    def from_json(cls, content: JsonObject) -> Table:
        """The table that `to_json` wrote.

        Raises
        ------
        DatasetError
            if the content is no table, or two columns have one name
        """
        try:
            return cls(
                content["kind"],
                {
                    name: Block(
                        name,
                        tuple(Variable.from_json(column) for column in block["columns"]),
                        tuple(block["shape"]),
                        {choice: tuple(chosen) for choice, chosen in block.get("selections", {}).items()},
                    )
                    for name, block in content["blocks"].items()
                },
            )
        except ConfigurationError as error:
            raise DatasetError(f"damaged table of variables: {error}") from None
        except (KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"damaged table of variables ({error!r})") from None


def _differ(old: Variable, new: Variable) -> bool:
    return "" not in (old.digest, new.digest) and old.digest != new.digest
