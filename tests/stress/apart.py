"""What coherence.py and fsx.py have in common: a guild whose views belong to one daemon, or, for the tests of the
checkers themselves, to two daemons that do not tell each other anything."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import guild


def run(names, arguments, check):
    """Calls check(g, arguments, other): other is the mountpoint of the second daemon, with --apart, else None."""
    # A watch would tell one daemon what the other one does.
    unwatched = "watch=no" if arguments.apart else ""
    with guild.Guild(names, options=unwatched) as g:
        other, daemon = None, None
        try:
            if arguments.apart:
                other = guild.make_folder(g.dir / "mnt2")
                daemon = g.start_daemon(other, unwatched)
            check(g, arguments, other)
        except (guild.Failure, subprocess.TimeoutExpired) as failure:
            print(f"FAIL: {failure}\n{g.log_tail()}")
            sys.exit(1)
        finally:
            if daemon:
                g.stop_daemon(daemon, other)
    print("ok")
