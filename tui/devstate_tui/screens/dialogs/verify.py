"""The verify dialog: verifies at once, shows how far it is, can be stopped, and ends with a receipt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from devstate.chain import VerificationCancelled
from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.models.lines import numbered
from devstate_tui.services.verifier import Receipt, Verifier
from devstate_tui.widgets.pairs import Pairs
from devstate_tui.widgets.progress_line import ProgressLine

from .dialog import Dialog

if TYPE_CHECKING:
    from devstate.chain import ChainReport, Progress
    from devstate.workspace import Workspace

__all__ = ["VerifyDialog", "VerifyOutcome"]

_LABEL = 14  # columns of the labels of the receipt


@dataclass(frozen=True)
class VerifyOutcome:
    """`receipt` is None where it was stopped or failed; `entry` is the entry that the user wants to see."""

    receipt: Receipt | None = None
    entry: int | None = None


class VerifyDialog(Dialog[VerifyOutcome]):
    """Escape and Cancel stop a running verification; afterwards they close."""

    @dataclass
    class Went(Message):
        """It has come this far."""

        progress: Progress

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, VerifyDialog.Went)

    @dataclass
    class Done(Message):
        """It is finished: a receipt, or the error that ended it."""

        receipt: Receipt | None
        error: DevStateError | None

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("Verify", (("cancel", "Cancel"), ("entry", "Show first break")))
        self._verifier = Verifier(workspace)
        self._receipt: Receipt | None = None

    def compose_body(self) -> Iterable[Widget]:
        yield Static("Reading every byte of the history and judging every entry.", id="said", classes="body")
        yield ProgressLine(id="progress")
        scroll = VerticalScroll(Pairs(_LABEL), classes="scroll")
        scroll.can_focus = False
        scroll.display = False
        yield scroll

    def on_mount(self) -> None:
        self.query_one("#entry").display = False
        self.run_worker(self._run, thread=True, exclusive=True, group="verify", exit_on_error=False)

    def on_unmount(self) -> None:
        self._verifier.cancel()

    def _run(self) -> None:
        try:
            receipt = self._verifier.run(lambda progress: void(self.post_message(self.Went(progress))))
        except DevStateError as error:
            self.post_message(self.Done(None, error))
        else:
            self.post_message(self.Done(receipt, None))

    def on_verify_dialog_went(self, message: Went) -> None:
        progress = message.progress
        self.query_one(ProgressLine).part = progress.bytes_done / max(1, progress.bytes_total)
        bad = f", {progress.bad:,} broken" if progress.bad else ", none broken"
        self.query_one("#said", Static).update(f"{progress.entries:,} entries judged{bad}")

    def on_verify_dialog_done(self, message: Done) -> None:
        self.query_one(ProgressLine).display = False
        self.query_one(".scroll").display = True
        said = self.query_one("#said", Static)
        cancel = self.query_one("#cancel", Button)
        cancel.label = "Close"
        if message.receipt is None:
            if isinstance(message.error, VerificationCancelled):
                self.dismiss(VerifyOutcome())
                return
            said.update(Content.styled("✘ It could not be verified", "bold $error"))
            remedy = message.error.remedy if message.error is not None else ""
            self.query_one(Pairs).pairs = (
                ("why", visible(str(message.error))),
                ("what to do", visible(remedy)),
            )
            return
        self._receipt = message.receipt
        said.update(_verdict(message.receipt))
        self.query_one(Pairs).pairs = _receipt_pairs(message.receipt)
        report = message.receipt.report
        self.query_one("#entry").display = report is not None and report.first_bad is not None
        cancel.focus()

    def outcome_of(self, button: str) -> VerifyOutcome:
        self._verifier.cancel()
        report = self._receipt.report if self._receipt is not None else None
        entry = report.first_bad if button == "entry" and report is not None else None
        return VerifyOutcome(self._receipt, entry)


def void(_: object) -> None:
    """Nothing; posting a message says whether it was queued, and a closed dialog needs no more of them."""


def _verdict(receipt: Receipt) -> Content:
    report = receipt.report
    if report is None:
        return Content.styled("✘ The history cannot be read", "bold $error")
    status = report.answers.integrity.status
    mark = {
        "yes": ("✔ INTACT", "bold $success"),
        "no": ("✘ BROKEN", "bold $error"),
        "unknown": ("? NOT DECIDED", "bold $warning"),
    }[status]
    return Content.assemble(mark, "  ", visible(report.answers.integrity.sentence))


def _receipt_pairs(receipt: Receipt) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    if receipt.report is not None:
        pairs += _report_pairs(receipt.report)
    pairs += [("at", receipt.taken_at), ("took", f"{receipt.elapsed:.2f} s")]
    pairs += [("workspace", f"{numbered(receipt.errors, 'error')}, {numbered(receipt.warnings, 'warning')}")]
    if receipt.report is None:
        pairs += [("", visible(fault)) for fault in receipt.faults]
    pairs += [("same as", receipt.command)]
    return tuple(pairs)


def _report_pairs(report: ChainReport) -> list[tuple[str, str]]:
    keys = "; ".join(
        f"{visible(use.kid)} (entries {use.first:,} to {use.last:,}{', public' if use.public else ''})"
        for use in report.keys
    )
    pairs = [
        ("entries", f"{report.entries:,}"),
        ("verified", f"{report.verified:,}"),
    ]
    if report.first_bad is not None:
        pairs.append(("first break", f"entry {report.first_bad:,}"))
    pairs += [
        ("authenticity", visible(report.answers.authenticity.sentence)),
        ("completeness", visible(report.answers.completeness.sentence)),
        ("time", visible(report.answers.time.sentence)),
        ("file", f"{visible(report.file)}, {report.size:,} bytes"),
        ("sha256", report.sha256),
        ("keys", keys or "none verified an entry"),
    ]
    return pairs
