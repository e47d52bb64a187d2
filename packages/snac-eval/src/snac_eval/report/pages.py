"""Templates of pages that are one file each."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, filters: dict[str, Callable[..., Any]], **values: Any) -> str:
    """Fill a template of this package; a name that it does not get is an error, not a blank."""
    return _environment(tuple(filters.items())).get_template(template).render(**values)


@cache
def _environment(filters: tuple[tuple[str, Callable[..., Any]], ...]) -> Environment:
    """Return what keeps the templates that it has compiled: most of the time of a small page."""
    environment = Environment(
        loader=PackageLoader("snac_eval"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment
