"""The detail of one entry: a scrolling page of facts, folded to the width there is."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from devstate_tui.actions import bindings
from devstate_tui.models.detail import Detail, Fact, Part, Role
from devstate_tui.models.letters import tone_of

from .fitting import fold

__all__ = ["LETTER_STYLES", "STYLES", "EntryDetail"]

# Tokens of the theme; the words and glyphs say the same without them.
STYLES: dict[Role, str] = {
    "plain": "",
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "info": "",
    "quiet": "$text-muted",
    "json": "",
}
LETTER_STYLES = {
    "good": "$text-success",
    "weak": "$text-warning",
    "unverified": "$text-muted",
    "broken": "$text-error",
}
_LABEL = 9


class EntryDetail(VerticalScroll, can_focus=True):
    """Shows a `Detail`; the mouse can mark its text."""

    BINDINGS = bindings("chain.detail")

    class Left(Message):
        """The user is done here."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._detail: Detail | None = None
        self._height = 0

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    @property
    def shown(self) -> bool:
        """Whether an entry is shown."""
        return self._detail is not None

    def show(self, detail: Detail | None) -> None:
        """Show another entry, from its beginning."""
        if detail == self._detail:
            return
        other = detail is None or self._detail is None or detail.title != self._detail.title
        self._detail = detail
        self._draw()
        if other:
            self.scroll_home(animate=False)

    def release_room(self) -> None:
        """Let the next text have the room it needs and no more: the screen is laid out anyway."""
        self._height = 0

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self.is_mounted:
            width = max(self.scrollable_content_region.width - 1, 20)
            lines = _content(self._detail, width)
            text = self.query_one(Static)
            text.update(Content("\n").join(lines), layout=False)
            # Laying out the whole screen is dear: a shorter text keeps the room of the longest that fitted the pane.
            if not len(lines) <= self._height <= self.scrollable_content_region.height:
                self._height = len(lines)
                text.styles.height = self._height

    def action_back(self) -> None:
        self.post_message(self.Left())

    def action_down(self) -> None:
        self.scroll_down(animate=False)

    def action_up(self) -> None:
        self.scroll_up(animate=False)

    def action_page_down(self) -> None:
        self.scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)

    def action_first(self) -> None:
        self.scroll_home(animate=False)

    def action_last(self) -> None:
        self.scroll_end(animate=False)


def _content(detail: Detail | None, width: int) -> list[Content]:
    if detail is None:
        return [Content("No entry is selected.")]
    tone = LETTER_STYLES.get(tone_of(detail.letter), "")
    lines = [
        Content.assemble((detail.title, "bold"), "   ", (detail.verdict, f"bold {tone}")),
        *(
            Content.styled(line, "$text-muted")
            for line in (fold(detail.meaning, width) if detail.meaning else [])
        ),
    ]
    if detail.note is not None:
        lines += [Content.styled(line, "$text-accent") for line in fold(f"◆ {detail.note}", width)]
    for at, part in enumerate(detail.parts):
        # What is wrong follows at once: on a small terminal the remedy is to be in view, too.
        lines += _part(part, width) if at == 0 and len(lines) == 1 else [Content(""), *_part(part, width)]
    return lines


def _part(part: Part, width: int) -> list[Content]:
    lines = [*(Content.styled(line, "bold $text-accent") for line in fold(part.title, width))]
    for fact in part.facts:
        lines += _fact(fact, width)
    return lines


def _fact(fact: Fact, width: int) -> list[Content]:
    if fact.role == "json":
        return [Content.styled(fact.label, "$text-muted"), *_json(fact.value, width)]
    style = STYLES[fact.role]
    if not fact.label:
        return [Content.styled(line, style) for line in fold(fact.value, width)]
    if len(fact.label) > _LABEL or width < 28:
        head = [Content.styled(line, "$text-muted") for line in fold(fact.label, width)]
        return head + [Content.styled(f"  {line}", style) for line in fold(fact.value, width - 2)]
    room = width - _LABEL - 1
    return [
        Content.assemble(((fact.label if at == 0 else "").ljust(_LABEL + 1), "$text-muted"), (line, style))
        for at, line in enumerate(fold(fact.value, room))
    ]


def _json(text: str, width: int) -> list[Content]:
    """JSON in colours, its indentation kept where a line is folded."""
    from textual.highlight import highlight  # pygments, only where there is metadata to colour

    lines: list[str] = []
    for line in text.split("\n"):
        indent = " " * min(len(line) - len(line.lstrip(" ")), width // 2)
        first, *more = fold(line.lstrip(" "), width - len(indent))
        lines += [indent + first, *(indent + rest for rest in more)]
    return highlight("\n".join(lines), language="json").split("\n", allow_blank=True)
