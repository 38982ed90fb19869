"""How any command of `lab` behaves in a shell: every error one sentence and a code, pipes that close early, numbers."""

from __future__ import annotations

import errno
import math
import os
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lab.errors import Interrupted, LabError
from lab.kit import streams
from lab.kit.places import HOME, ROOT
from lab.kit.streams import say, tell

BROKEN = 3
NOT_OURS = {errno.EACCES, errno.EDQUOT, errno.EMFILE, errno.ENAMETOOLONG, errno.ENOSPC, errno.EPERM, errno.EROFS}
NOT_OURS |= {errno.EEXIST, errno.EIO, errno.ENFILE, errno.ENOTDIR, errno.EISDIR}
INTERRUPTED = 130  # what a shell gives a command that Ctrl-C ended


def _own_name() -> str:
    """What to type before a command: what was typed, where that was `bin/lab` or another script; else our Python."""
    if typed := os.environ.get("LAB_COMMAND"):
        return typed
    if Path(sys.argv[0]).name != "__main__.py":
        return Path(sys.argv[0]).name
    own = Path(sys.prefix)
    active = os.environ.get("VIRTUAL_ENV") == str(own) or not own.is_relative_to(ROOT)
    return "python -m lab" if active else f"{own.relative_to(ROOT) / 'bin' / 'python'} -m lab"


class Commands(click.Group):
    """A group whose every error is one sentence and exit code 3: 2 means UNKNOWN here, not wrong usage."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit with its code."""
        code: Any = 0
        try:
            _stand_somewhere()
            kwargs["standalone_mode"] = False
            kwargs.setdefault("prog_name", _own_name())
            code = super().main(*args, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            tell(error.format_message())
            code = 0
        except click.ClickException as error:
            say(_in_a_sentence(error))
            code = BROKEN
        except (click.Abort, KeyboardInterrupt):
            say("interrupted")
            code = INTERRUPTED
        except Interrupted as error:
            say(str(error))
            code = 128 + error.number
        except LabError as error:
            say(str(error))
            code = BROKEN
        except Exception as error:
            say(_unforeseen(error))
            code = BROKEN
        if lost := streams.lost():
            say(lost)
            code = BROKEN
        sys.exit(code if isinstance(code, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the one that was probably meant."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            close = get_close_matches(args[0], self.commands, n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(sorted(self.commands))}."
            raise LabError(f'"{args[0]}" is no command; {hint}')
        return super().resolve_command(ctx, args)


def _in_a_sentence(error: click.ClickException) -> str:
    """What was wrong, where it came from if not from the command line, and where to look."""
    text = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if isinstance(error, click.BadParameter) and error.param and context:
        source = context.get_parameter_source(error.param.name or "")
        if source is ParameterSource.ENVIRONMENT and error.param.envvar:
            text += f" (it comes from {error.param.envvar})"
    ending = "" if text.endswith("?") else "."
    return f"{text}{ending} See {context.command_path} --help" if context else f"{text}{ending}"


def _unforeseen(error: Exception) -> str:
    """A sentence for what the machine does not allow; for anything else, a mistake of ours, where its details are."""
    if isinstance(error, OSError) and error.errno in NOT_OURS:
        return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}; {_way_out(error)}"
    return f"broke in an unforeseen way ({type(error).__name__}: {error}); {_keep(error)}"


FREE = "free disk space or fix its permissions"


def _way_out(error: OSError) -> str:
    """What to do about a file that cannot be made, read or written, as far as its path says whose it is."""
    if error.errno == errno.ENAMETOOLONG:
        return "give a shorter name"
    if not error.filename:
        return "check free disk space, permissions and limits (ulimit -a)"
    if Path(str(error.filename)).is_relative_to(HOME):
        return f"{FREE}, or set LAB_HOME to another folder for what the lab keeps for itself ({HOME})"
    return f"{FREE}; if it is for runs, name another folder with --reports"


def _stand_somewhere() -> None:
    """Raise LabError where the working directory has been removed: no path could be told from another."""
    try:
        os.getcwd()  # noqa: PTH109 - only whether there is one
    except FileNotFoundError:
        raise LabError("the folder that this was started in has been removed; `cd` to one that is there") from None


def _keep(error: Exception) -> str:
    """Write the traceback where it can be found and sent; says where."""
    file = HOME / "crash.log"
    text = "".join(traceback.format_exception(error))
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    except OSError:
        return text
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return f"the details are in {shown}, please report them"


class Whole(click.IntRange):
    """A whole number within a range, called so in messages."""

    name = "whole number"


class Number(click.FloatRange):
    """A number within a range, called so in messages; not a number is none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return number
