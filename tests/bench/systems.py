"""The systems that are compared. Each shows the same backing directory; none is mounted but while it is measured."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import calls
import place

# Usual settings, at their fast end where that does not change what programs see. Why these: docs/benchmarks/README.md.
BINDFS_OPTIONS = ()
MERGERFS_OPTIONS = "allow_other,use_ino,cache.files=auto-full,category.create=ff,security_capability=false"
START_LIMIT_S = 60


def last_line(log):
    lines = pathlib.Path(log).read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"


def wait_until_mounted(daemon, mountpoint, outside, log):
    """outside: the device number that the directory has while nothing is mounted there."""
    limit = time.monotonic() + START_LIMIT_S
    while os.stat(mountpoint).st_dev == outside:
        if daemon.poll() is not None:
            raise place.Unusable(f"{daemon.args[0]} ended with {daemon.returncode} before it was mounted: "
                                 f"{last_line(log)}")
        if time.monotonic() > limit:
            raise place.Unusable(f"{daemon.args[0]} was not mounted within {START_LIMIT_S} s")
        time.sleep(0.005)


@contextlib.contextmanager
def daemon_on(mountpoint, command, log):
    """The process of a FUSE filesystem in the foreground, which is unmounted and ended in any case."""
    outside = os.stat(mountpoint).st_dev
    with open(log, "ab") as file:
        daemon = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                  preexec_fn=lambda: calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL))
    try:
        wait_until_mounted(daemon, mountpoint, outside, log)
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(20)
        with contextlib.suppress(OSError):
            calls.umount2(mountpoint, calls.MNT_DETACH)


class Native:
    name = "native"

    def __init__(self, backing):
        self.backing = backing

    @contextlib.contextmanager
    def mounted(self):
        """The directory in which the backing directory shows."""
        yield self.backing


class Other:
    """bindfs and mergerfs."""

    def __init__(self, name, backing, scratch):
        self.name, self.backing, self.mountpoint = name, backing, scratch.folder(name)
        self.log = scratch.path / f"{name}.log"

    def command(self):
        if self.name == "bindfs":
            return ["bindfs", "-f", *BINDFS_OPTIONS, self.backing, self.mountpoint]
        return ["mergerfs", "-f", "-o", MERGERFS_OPTIONS, self.backing, self.mountpoint]

    @contextlib.contextmanager
    def mounted(self):
        with daemon_on(self.mountpoint, self.command(), self.log):
            yield self.mountpoint


class Guildfs:
    """In one data mode. The store is shared by both: the mode is an option of the share."""

    def __init__(self, name, store, mountpoint, options):
        self.name, self.store, self.mountpoint, self.options = name, store, mountpoint, options
        self.daemon = None

    def view(self, number=1):
        """The backing directory as user-N sees it."""
        return self.mountpoint / f"user-{number}" / "my/files" / self.store.share

    @contextlib.contextmanager
    def mounted(self):
        self.store.cli("share", "set", self.store.share, f"data={self.name}")
        options = ["-o", self.options] if self.options else []
        command = [self.store.programs / "guildfsd", "-f", self.store.path, self.mountpoint, *options]
        with daemon_on(self.mountpoint, command, self.store.path.parent / "guildfs.log") as self.daemon:
            yield self.view()

    def status(self):
        return json.loads(self.store.cli("--json", "status", self.mountpoint))


class Store:
    """A store with a large policy, and in it the backing directories as shares of user-1."""

    USERS_PER_GROUP = 10

    def __init__(self, programs, path, authorizations):
        self.programs, self.path, self.share = programs, path, None
        users = max(100, authorizations // 10)
        checked = place.checked
        checked([programs / "bench-store", path, users, max(10, users // self.USERS_PER_GROUP), authorizations],
                "cannot make the store")
        path.chmod(0o700)

    def cli(self, *words):
        return place.checked([self.programs / "guildfs", "--store", self.path, *words],
                             f"guildfs {words[0]} {words[1]}")

    def adopt(self, backing, name):
        self.cli("share", "adopt", backing, "--name", name)
        self.share = name
        self.allow(1)

    def allow(self, number):
        self.cli("grant", f"user:user-{number}", f"share:{self.share}", "editor")


def make(names, backing, scratch, store, options):
    found = []
    for name in names:
        if name == "native":
            found.append(Native(backing))
        elif name in ("fast", "revocable"):
            found.append(Guildfs(name, store, scratch.folder("guild"), options))
        else:
            found.append(Other(name, backing, scratch))
    return found


def process_status(pid, key):
    """A number of /proc/PID/status; sizes are in KiB there."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise KeyError(key)

