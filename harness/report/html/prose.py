"""Parts of the Markdown report as HTML: no tags of their own, no links but where they are wanted, no pictures but
those that are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from harness.report.html.pictures import data_uri

LOST = "The picture is not in the folder of records."


@dataclass(frozen=True)
class Part:
    """A heading and what stands below it."""

    title: str
    body: Markup

    @property
    def pictured(self) -> bool:
        return "<img " in self.body


def parts(
    blocks: Sequence[str], level: str = "##", pictures: Mapping[str, bytes] | None = None, links: bool = False
) -> list[Part]:
    """Blocks of Markdown, divided at the headings of a level.

    Args:
        pictures: by file name; any other becomes its text alternative.
        links: whether there are any; otherwise brackets are only brackets.
    """
    markdown = _markdown(pictures or {}, links)
    divided: list[tuple[str, list[str]]] = []
    for block in blocks:
        if block.startswith(f"{level} "):
            divided.append((block.removeprefix(f"{level} "), []))
        else:
            divided[-1][1].append(block)
    return [
        Part(_text(markdown, title), _html(markdown, "\n\n".join(content), _text(markdown, title)))
        for title, content in divided
    ]


def code(text: str) -> Markup:
    """Plain text with what stands between backticks set as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    told = [Markup("<code>{}</code>").format(each) if odd % 2 else escape(each) for odd, each in enumerate(pieces)]
    return Markup("").join(told)


def _markdown(pictures: Mapping[str, bytes], links: bool) -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["autolink"])
    if not links:
        markdown.disable("link")

    def image(renderer: RendererHTML, tokens: Sequence[Token], place: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[place]
        alternative = escape(renderer.renderInlineAsText(token.children, options, env))
        uri = data_uri(pictures, unquote(str(token.attrs["src"])).rpartition("/")[2])
        if uri is None:
            return f"<em>{alternative}. {LOST}</em>"
        return f'<img src="{uri}" alt="{alternative}">'

    markdown.add_render_rule("image", image)
    return markdown


def _text(markdown: MarkdownIt, title: str) -> str:
    """A heading without its marks."""
    inline = markdown.parseInline(title)[0].children or []
    return "".join(token.content for token in inline)


def _html(markdown: MarkdownIt, text: str, title: str) -> Markup:
    """Tables scroll on their own, and are aligned by classes: the page's policy allows no styles in attributes."""
    found: str = markdown.render(text)
    opening = Markup('<div class="scroll" role="region" tabindex="0" aria-label="{}"><table>').format(title)
    for old, new in (
        ("<table>", str(opening)),
        ("</table>", "</table></div>"),
        (' style="text-align:right"', ' class="r"'),
        (' style="text-align:left"', ""),
    ):
        found = found.replace(old, new)  # text has its brackets and quotes escaped, so that these are tags
    return Markup(found)
