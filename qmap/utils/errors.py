"""The one exception for what a user, not this project, has to put right."""


class UserError(Exception):
    """Something the user gave or owns cannot be used: a flag, a file, a folder, an environment.

    The message is one line that says what was wrong, what was expected and what to do. Command
    line programs print it to standard error and exit with status 2 (`command_line.run`); code that
    imports the package can catch it.

    Attributes:
        traceback: of the user's own code, where it is at fault; empty where there is none. It is
            printed before the message.
    """

    traceback = ""
