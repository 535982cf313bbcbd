"""One command line from its words to its status: the only place that turns errors into sentences and statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from devstate.errors import DevStateError, InputMissing, UsageError

from .app import app
from .invocation import Invocation, refuse_secrets, wants
from .outcome import Outcome, error_document, json_line, print_outcome
from .screen import OutputLost, Screen
from .standard_streams import let_go, replace_closed

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit status (the table in docs/reference/cli.md)."""
    replace_closed()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "_DEVSTATE_COMPLETE" in os.environ and argv is None:
        from .completing import complete

        return complete(app)
    # What can be known of the options before they are parsed: an error in them has to honour it too.
    call = Invocation(json=wants(arguments, "--json"), debug=wants(arguments, "--debug"))
    screen = Screen(colour=not wants(arguments, "--no-color"))
    try:
        return _finish(_run(arguments, call, screen))
    except BrokenPipeError:
        return _let_go(0)
    except KeyboardInterrupt:
        return _fail(_interrupted(), call, screen)
    except OutputLost as lost:
        return _lost(lost, 0, screen)
    except DevStateError as error:
        if call.debug:
            raise
        return _fail(error, call, screen)
    except RecursionError:
        if call.debug:
            raise
        return _fail(_unexpected("the input is nested too deeply"), call, screen)
    except MemoryError:
        return _fail(_unexpected("there is not enough memory"), call, screen)
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not _somewhere():
            return _fail(_nowhere(), call, screen)
        if call.debug:
            raise
        return _fail(_unexpected(f"an unexpected error ({type(error).__name__})"), call, screen)


def _run(arguments: list[str], call: Invocation, screen: Screen) -> tuple[int, Screen]:
    refuse_secrets(arguments)
    try:
        # The outcome is printed inside the context: what it reads while it is printed is still open.
        with app.make_context("devstate", arguments, obj=call) as context:
            result = app.invoke(context)
            if not isinstance(result, Outcome):  # a stream, or the inspector: it has written what there is
                return (result if isinstance(result, int) else 0), screen
            screen = Screen(colour=not call.no_color, unmasked=call.unmasked)
            try:
                return print_outcome(result, screen, schema=call.schema, as_json=call.json), screen
            except BrokenPipeError:  # the reader has seen enough; the verdict is what it is
                return _let_go(result.status), screen
            except OutputLost as lost:
                return _lost(lost, result.status, screen), screen
    except click.exceptions.Exit as ended:
        return ended.exit_code, screen
    except click.exceptions.NoArgsIsHelpError as error:
        if call.json:
            raise UsageError("a subcommand is missing", remedy=f"See `{_path(error.ctx)} --help`.") from None
        sys.stderr.write(error.message + "\n")
        return 2, screen
    except click.UsageError as error:
        raise UsageError(
            _sentence(error.format_message()), remedy=f"See `{_path(error.ctx)} --help`."
        ) from None
    except click.Abort:
        raise KeyboardInterrupt from None


def _finish(done: tuple[int, Screen]) -> int:
    status, screen = done
    try:
        screen.flush()
    except BrokenPipeError:
        return _let_go(status)
    except OutputLost as lost:
        return _lost(lost, status, screen)
    return status


def _lost(lost: OutputLost, status: int, screen: Screen) -> int:
    """Say that the output is not there; a verdict that weighs more remains the status."""
    _tell(lost, screen)
    return status if status in (1, 3) else lost.exit_code


def _let_go(status: int) -> int:
    """The reader of our output has gone; nobody wants to hear about it when the interpreter flushes."""
    let_go(sys.stdout)
    return status


def _fail(error: DevStateError, call: Invocation, screen: Screen) -> int:
    try:
        if call.json:
            screen.utf8()
            screen.write(json_line({"schema": call.schema, **error_document(error)}))
            screen.flush()
            return error.exit_code
        screen.flush()
        _tell(error, screen)
    except BrokenPipeError:
        return _let_go(error.exit_code)
    except OutputLost as lost:
        for one in (error, lost):
            _tell(one, screen)
    return error.exit_code


def _tell(error: DevStateError, screen: Screen) -> None:
    """The sentence and the remedy, to stderr."""
    from devstate.findings import paint, visible

    colour = screen.colour_of_notes
    screen.note(f"{paint('✘', 'bad', colour)} {visible(str(error))}", "plain")
    if error.remedy:
        screen.note(f"  {paint('→', 'look', colour)} {visible(error.remedy)}", "plain")


def _interrupted() -> DevStateError:
    error = DevStateError("interrupted; no verdict was reached", remedy="Run the command again.")
    error.code = "INTERRUPTED"
    error.exit_code = 130
    return error


def _somewhere() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _nowhere() -> DevStateError:
    return InputMissing(
        "the current folder does not exist any more",
        remedy="Go to a folder that does, and run the command there.",
    )


def _unexpected(what: str) -> DevStateError:
    # The text of an unknown error may quote anything, a secret included: only its kind is told.
    error = DevStateError(
        f"{what} stopped the command; no verdict was reached",
        remedy="Run it again with --debug for the details, and report them as a bug.",
    )
    error.exit_code = 5
    return error


def _path(context: click.Context | None) -> str:
    return context.command_path if context is not None else "devstate"


def _sentence(text: str) -> str:
    """click's message in the style of ours: no capital, no full stop."""
    text = text.strip().removesuffix(".")
    return text[:1].lower() + text[1:]
