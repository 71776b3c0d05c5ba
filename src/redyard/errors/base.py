"""What every error of Redyard is: a message, a hint, a page, an exit status."""

from contextlib import suppress
from typing import ClassVar


class RedyardError(Exception):
    """An error that Redyard explains; the row says what happened and what to do next."""

    status: ClassVar[int] = 1
    text: ClassVar[str] = "fault of ours: {problem}"
    hint: ClassVar[str] = "REDYARD_TRACEBACK=1 shows where, and so does the yard's log. Please report it."

    def __init__(self, **details: object) -> None:
        self.details = details
        super().__init__(self.text.format(**details))
        with suppress(KeyError):  # a traceback says what to do, too
            self.add_note(f"{self.remedy}\n{self.page}")

    @property
    def code(self) -> str:
        """Return the error's name in JSON: the class's name."""
        return type(self).__name__

    @property
    def page(self) -> str:
        """Return where the error is explained, relative to the documentation."""
        anchor = f"#{self.code.lower()}" if type(self) is not RedyardError else ""
        return f"docs/reference/errors.md{anchor}"

    @property
    def remedy(self) -> str:
        """Return what to do next, with this error's values in it."""
        return self.hint.format(**self.details)

    def to_json(self) -> dict[str, object]:
        """Return the form that `--json` prints and the yard's API answers."""
        return {
            "error": self.code,
            "message": str(self),
            "hint": self.remedy,
            "page": self.page,
            "status": self.status,
            "details": self.details,
        }
