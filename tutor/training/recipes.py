"""Reads training recipes by name from recipes.toml."""

from __future__ import annotations

from pathlib import Path

from tutor.content.loader import read_toml
from tutor.errors import ContentError
from tutor.training.embedded import Recipe
from tutor.training.loop import TrainConfig
from tutor.training.samples import Mix

PATH = Path(__file__).with_name("recipes.toml")


def load_recipe(name: str, path: Path = PATH) -> Recipe:
    """A recipe by name.

    Raises:
        ContentError: No recipe of that name, or a value that no recipe has.
    """
    table = read_toml(path)
    if name not in table:
        raise ContentError(f"No recipe {name!r}; there are {', '.join(table)}.", file=path.name)
    data = dict(table[name])
    try:
        train = TrainConfig(**data.pop("train", {}))
        mix = Mix(**data.pop("mix", {}))
        return Recipe(**data, train=train, mix=mix)
    except TypeError as error:
        raise ContentError(f"Recipe {name!r} in {path.name}: {error}.", file=path.name) from error
