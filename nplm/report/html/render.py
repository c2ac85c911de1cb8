"""Pages from templates: what is given to them is text, which they escape, and nothing else makes markup."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(template: str, **values: object) -> Markup:
    """A template of this folder with these values, as markup that another one may hold.

    Arguments:
        template: its file.
        values: its words, rows and pictures, by name; text is escaped. One that it needs and lacks is an error.
    """
    from markupsafe import Markup

    return Markup(_environment().get_template(template).render(values))


@cache
def _environment() -> Environment:
    # It is imported when the first page is written: a command that writes none does not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("nplm.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
