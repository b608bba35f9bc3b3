"""What goes wrong meanwhile: the store away, corrupt, read-only, locked or full, and the daemon killed.

Each takes some seconds and leaves everything as it was. It returns the outages that excuse a
refusal, and, where the store cannot be read at all, from when to when nothing may succeed.
"""

import json
import os
import shutil
import signal
import sqlite3
import time

import calls
import guild
from verdict import Outage

STALE_LIMIT_S = 2.0
LOOK_S = 1.3      # the daemon looks at least every second: so old may be what it has read
CACHED_S = 1.6    # what the kernel may answer by itself after the daemon refuses: attr_timeout, and a bit
RECOVERY_S = 5.0


def daemon_says(g):
    """Also when it is stale, which is an exit code of its own."""
    return json.loads(g.cli("--json", "status", str(g.mountpoint), status=None))


def recovered(g):
    """The daemon serves again by itself. When that was."""
    def serves():
        said = daemon_says(g)
        return not said["stale"] and not said["problem"]

    guild.eventually(serves, "the daemon recovers", RECOVERY_S)
    return time.monotonic()


def unreadable(g, kind, begin, watch):
    """Waits until it refuses, and some time more."""
    guild.eventually(lambda: watch() or daemon_says(g)["stale"], f"{kind}: the daemon refuses",
                     STALE_LIMIT_S + RECOVERY_S)
    refuses = time.monotonic()
    pause(1.0 + CACHED_S, watch)
    return Outage(kind, begin + STALE_LIMIT_S - LOOK_S, 0.0, [refuses + CACHED_S, time.monotonic()])


def pause(seconds, watch):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watch()
        time.sleep(0.05)


def away(g, watch, fill=None):
    begin = time.monotonic()
    moved = g.dir / "store-moved"
    os.rename(g.store, moved)
    try:
        if fill:
            fill(moved, g.store)
        outage = unreadable(g, "corrupt" if fill else "away", begin, watch)
    finally:
        if fill:
            shutil.rmtree(g.store)
        os.rename(moved, g.store)
    outage.end = recovered(g)
    return outage


def corrupt(g, watch):
    """A damaged copy stands in the store's place, and then the right one again."""
    def damage(moved, place):
        shutil.copytree(moved, place, ignore=shutil.ignore_patterns("data", "audit", "guildfs.db-*"))
        with open(place / "guildfs.db", "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(100)
            file.write(b"\xa5" * (size - 100))

    return away(g, watch, damage)


def locked(g, watch):
    """Another program holds the lock to write. Readers go on: nothing may be noticed."""
    other = sqlite3.connect(g.store / "guildfs.db", isolation_level=None, timeout=5)
    try:
        other.execute("BEGIN EXCLUSIVE")
        pause(STALE_LIMIT_S + 1.5, watch)
        other.execute("ROLLBACK")
    finally:
        other.close()
    return None


def read_only(g, watch):
    """The filesystem under the store becomes read-only. Reading goes on, or not; nothing is given away."""
    begin = time.monotonic()
    calls.mount(str(g.store), g.store, None, calls.MS_BIND)
    try:
        calls.mount("none", g.store, None, calls.MS_REMOUNT | calls.MS_BIND | calls.MS_RDONLY)
        pause(STALE_LIMIT_S + 1.5, watch)
    finally:
        calls.umount2(g.store, calls.MNT_DETACH)
    return Outage("read-only", begin + STALE_LIMIT_S - LOOK_S, recovered(g))


def unreadable_modes(g, watch):
    """Nobody may read the database by its mode bits. A daemon that still has that privilege goes on."""
    begin = time.monotonic()
    database = g.store / "guildfs.db"
    mode = database.stat().st_mode & 0o777
    database.chmod(0)
    try:
        pause(STALE_LIMIT_S + 1.5, watch)
    finally:
        database.chmod(mode)
    return Outage("modes", begin + STALE_LIMIT_S - LOOK_S, recovered(g))


def killed(g, watch, meanwhile):
    """SIGKILL; `meanwhile` is done while nobody serves; then it is mounted again."""
    begin = time.monotonic()
    os.kill(daemon_says(g)["pid"], signal.SIGKILL)
    g.daemon.wait(10)
    pause(0.5, watch)
    meanwhile()
    while g.mounted():
        calls.umount2(g.mountpoint, calls.MNT_DETACH)
    g.mount()
    return Outage("killed", begin, time.monotonic())


STORE_FAULTS = [away, locked, corrupt, read_only, unreadable_modes]
