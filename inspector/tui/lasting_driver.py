"""Textual's driver for a terminal of POSIX, made to outlast that terminal and to stand being stopped."""

from __future__ import annotations

from contextlib import suppress
from typing import IO, Any, cast

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

from inspector.tui.keys import NEWLINE


class _Lasting:
    """A file for the thread that draws: when the terminal has gone, what is written is forgotten.

    The thread would die of the error, its queue run full, and the program wait for room in it for ever.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class LastingDriver(LinuxDriver):
    """Textual's driver, which goes on without a terminal until the application has ended."""

    def __init__(self, app: App[Any], **options: Any) -> None:  # noqa: ANN401 - Textual's own
        super().__init__(app, **options)
        self._file = cast("Any", _Lasting(cast("IO[str]", self._file)))
        self._is_suspended = False

    def process_message(self, message: Message) -> None:
        """Take a newline for Enter, which a terminal makes of it until the program has set its modes.

        What is typed in the first moments, or while another program has the terminal, is read only then.
        """
        is_newline = isinstance(message, Key) and message.key == NEWLINE
        super().process_message(Key("enter", "\r") if is_newline else message)

    def _sigtstp_application(self, *_signal: object) -> None:
        self._is_suspended = True
        super()._sigtstp_application()

    def _sigcont_application(self, *_signal: object) -> None:
        """Take the terminal again, whatever a shell has made of it meanwhile.

        Not only this program stops the process and has it continued. After a stop from elsewhere, Textual
        would read keys with two threads, of which only one is told to end.
        """
        has_begun = self._key_thread is not None and self._key_thread.is_alive()
        if self._is_suspended:
            self._is_suspended = False
            super()._sigcont_application()
        elif has_begun and self._auto_restart and not self.exit_event.is_set():
            self.suspend_application_mode()
            self._must_signal_resume = True
            self.resume_application_mode()


def lasting(driver: type[Driver]) -> type[Driver]:
    """The driver to use in place of this one, which Textual would use."""
    return LastingDriver if driver is LinuxDriver else driver
