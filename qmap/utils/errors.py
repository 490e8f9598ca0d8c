"""The one exception for what a user, not this project, has to put right."""


class UserError(Exception):
    """Something the user gave or owns cannot be used: a flag, a file, a folder, an environment.

    The message is one line that says what was wrong, what was expected and what to do. Command
    line programs print it to standard error and exit with status 2 (`command_line.run`); code that
    imports the package can catch it.

    Args:
        message: that line.
        traceback: of the user's own code, where it is at fault.
    """

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self._traceback = traceback

    @property
    def traceback(self) -> str:
        """Of the user's own code, to be printed before the message; empty where there is none.

        An error that says more of another, or came of dealing with it, has that one's.
        """
        return self._traceback or getattr(self.__cause__ or self.__context__, "traceback", "")
