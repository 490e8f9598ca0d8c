"""`python tied.py OWNER COMMAND...`: become COMMAND, which is asked to stop when its owner ends.

It is a file, not a module of the package, for the process that it is to become: nothing is imported
that takes time.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(owner: int, command: list[str]) -> None:
    """Tie this process to its parent and become the command.

    Args:
        owner: process number of the parent.
        command: a program's path and its arguments.
    """
    # Else what the owner ignores stays ignored: a shell's background jobs ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes

        # It survives exec.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != owner:
            sys.exit(128 + signal.SIGTERM)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
