"""A Guildfs of one's own for a test: a store made by the command line, a mount, users as processes.

    import guild

    def test_reader_reads(g):
        share = g.share("atlas", alice="view,download")
        guild.make_file(share.backing / "report", b"text")
        guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "report")), b"text")

    guild.main(users=["alice", "bob"])

Every test program has its own mount namespace: whatever happens to it, its mounts end with it,
and tests that run at the same time do not see each other. Users are numbers, not accounts.
"""

import argparse
import atexit
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import calls
import worker
from calls import errno_name

KIND_FOLDERS = {"files": "files", "volume": "volumes", "database": "databases", "image": "images",
                "capsule": "capsules"}
UPLOAD_XATTR = "trusted.guildfs.upload"
FIRST_UID = 60001
SKIP = 77

_root = pathlib.Path(__file__).resolve().parents[2]
GUILDFS = os.environ.get("GUILDFS", str(_root / "build/bin/guildfs"))
GUILDFSD = os.environ.get("GUILDFSD", str(_root / "build/bin/guildfsd"))


class Failure(AssertionError):
    """What a test found; printed without a traceback through this file."""


# ---- what tests say ----

def equal(found, wanted, what="value"):
    if found != wanted:
        raise Failure(f"{what}: {found!r}, expected {wanted!r}")


def true(condition, what):
    if not condition:
        raise Failure(f"not so: {what}")


def outcome(user, wanted, function, *arguments):
    """The call must end with this errno (0: succeed), or one of them. Returns the call's value."""
    wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    number, value = user.attempt(function, *arguments)
    if number not in wanted:
        names = " or ".join(errno_name(each) for each in wanted)
        shown = ", ".join(repr(each) for each in arguments)
        raise Failure(f"{user.name}: {function.__name__}({shown}): {errno_name(number)}, expected {names}")
    return value


def eventually(condition, what, timeout=10.0):
    """For what happens asynchronously: polls until the condition holds. Returns the seconds it took."""
    start = time.monotonic()
    while True:
        if condition():
            return time.monotonic() - start
        if time.monotonic() - start > timeout:
            raise Failure(f"not within {timeout} s: {what}")
        time.sleep(0.002)


# ---- preparing a backing folder ----

def make_file(path, data=b"", mode=0o644):
    path = pathlib.Path(path)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def make_folder(path, mode=0o755):
    path = pathlib.Path(path)
    path.mkdir()
    path.chmod(mode)
    return path


def set_upload(path, user, state="pending", age=0.0):
    """The record of who uploaded an item, as if the user had last closed it `age` seconds ago."""
    text = f"1 {user.uuid} {state} {time.time_ns() - int(age * 1e9)}"
    os.setxattr(path, UPLOAD_XATTR, text.encode(), follow_symlinks=False)


def upload_record(path):
    """(uuid, state, nanoseconds) or None."""
    try:
        text = os.getxattr(path, UPLOAD_XATTR, follow_symlinks=False).decode()
    except OSError as error:
        if error.errno == errno.ENODATA:
            return None
        raise
    version, uuid, state, nanoseconds = text.split()
    equal(version, "1", f"version of the upload record of {path}")
    return uuid, state, int(nanoseconds)


class User:
    """A person with a view, and one process that acts as that person."""

    def __init__(self, g, name, uid):
        self.guild, self.name, self.uid, self.gid = g, name, uid, uid
        self.uuid = g.json("user", "show", name)["uuid"]
        self._worker = None

    @property
    def view(self):
        return self.guild.mountpoint / self.name

    @property
    def worker(self):
        if self._worker is None or not self._worker.pid:
            self._worker = worker.Worker(self.uid, self.gid)
        return self._worker

    def another_worker(self):
        """One more process of this user; the caller closes it."""
        return worker.Worker(self.uid, self.gid)

    def call(self, function, *arguments):
        return self.worker.call(function, *arguments)

    def attempt(self, function, *arguments):
        return self.worker.attempt(function, *arguments)

    def errno(self, function, *arguments):
        return self.worker.errno(function, *arguments)

    def batch(self, functions):
        return self.worker.batch(functions)


class Share:
    def __init__(self, g, name, backing, group, kind):
        self.guild, self.name, self.backing, self.group, self.kind = g, name, pathlib.Path(backing), group, kind

    @property
    def ref(self):
        """As the command line wants it."""
        return f"{self.group}/{KIND_FOLDERS[self.kind]}/{self.name}" if self.group else self.name

    def at(self, user, *parts, place=None):
        """The path in a user's view: in the group for its members, else under my."""
        if place is None:
            place = self.group if self.group in self.guild.groups_of.get(user.name, ()) else "my"
        return str(user.view.joinpath(place, KIND_FOLDERS[self.kind], self.name, *parts))


def reachable(program, directory):
    """A copy of a program that unprivileged users can run: the checkout may lie where only root can go."""
    copy = pathlib.Path(directory) / pathlib.Path(program).name
    shutil.copy(program, copy)
    copy.chmod(0o755)
    return copy


class Guild:
    """Store, users, shares, daemon. A context manager; cleans up at the end of the process as well."""

    def __init__(self, users=(), options="", mounted=True, in_memory=False):
        """in_memory: on a tmpfs, where it has user xattrs (Linux 6.6): for tests of very many small files."""
        self.options = options
        self.settings = ()  # of every share that is made
        self.users, self.groups_of = {}, {}
        self.daemon = None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="guildfs-test-", dir="/var/tmp"))
        atexit.register(self.close)
        self.in_memory = in_memory and mount_tmpfs(self.dir)
        self.dir.chmod(0o755)
        self.store = self.dir / "store"
        self.mountpoint = make_folder(self.dir / "mnt")
        self.backing = make_folder(self.dir / "backing", 0o700)
        self.log = self.dir / "daemon.log"
        self.cli("init", str(self.store))
        for name in users:
            self.add_user(name)
        if mounted:
            self.mount()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getattr__(self, name):
        try:
            return self.__dict__["users"][name]
        except KeyError:
            raise AttributeError(name) from None

    # ---- administration ----

    def cli(self, *arguments, status=0):
        """Runs the command line; its standard output. status: the exit code it must have."""
        command = [GUILDFS, "--store", str(self.store), *map(str, arguments)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if status is not None and done.returncode != status:
            raise Failure(f"guildfs {' '.join(map(str, arguments))}: exit {done.returncode}, expected {status}\n"
                          f"{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.cli("--json", *arguments))

    def add_user(self, name, uid=None):
        uid = uid or FIRST_UID + len(self.users)
        self.cli("user", "add", name, "--uid", uid, "--gid", uid)
        self.users[name] = User(self, name, uid)
        return self.users[name]

    def add_group(self, name, **members):
        """members: user=role."""
        self.cli("group", "add", name)
        for user, role in members.items():
            self.cli("member", "add", name, user, "--role", role)
            self.groups_of.setdefault(user, set()).add(name)
        return name

    def share(self, name, group=None, kind="files", owner=None, settings=(), backing=None, wait=True, **grants):
        """A share on a folder of its own; grants: user=permissions. wait: until the views show it."""
        backing = pathlib.Path(backing) if backing else make_folder(self.backing / name, 0o777)
        command = ["share", "adopt", backing, "--name", name, "--kind", kind]
        command += ["--group", group] if group else []
        command += ["--owner", owner] if owner else []
        self.cli(*command)
        share = Share(self, name, backing, group, kind)
        if settings or self.settings:
            self.cli("share", "set", share.ref, *self.settings, *settings)
        for user, perms in grants.items():
            self.grant(user, share, perms)
        if self.daemon and wait:
            for user in [each for each, perms in grants.items() if perms != "none"] + ([owner] if owner else []):
                shown = share.at(self.users[user])
                eventually(lambda: not self.users[user].errno(os.stat, shown), f"{user} sees {shown}")
        return share

    def grant(self, user, share, perms):
        if perms != "none":
            self.cli("grant", f"user:{user}", f"share:{share.ref}", perms)

    def revoke(self, user, share, *perms):
        self.cli("revoke", f"user:{user}", f"share:{share.ref}", *perms)

    # ---- the mount ----

    def mounted(self, mountpoint=None):
        wanted = str(mountpoint or self.mountpoint)
        with open("/proc/self/mountinfo") as table:
            return any(line.split()[4] == wanted for line in table)

    def start_daemon(self, mountpoint, options):
        """Starts one in the foreground, and returns it when the mount answers."""
        options = ",".join(filter(None, [options, os.environ.get("GUILDFS_MOUNT_OPTIONS")]))
        command = [GUILDFSD, "-f", str(self.store), str(mountpoint)] + (["-o", options] if options else [])
        with open(self.log, "ab") as log:
            daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      preexec_fn=lambda: calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL))
        outside = os.stat(mountpoint.parent).st_dev

        def answers():
            if daemon.poll() is not None:
                raise Failure(f"guildfsd ended with {daemon.returncode} before the mount answered:\n{self.log_tail()}")
            return self.mounted(mountpoint) and os.stat(mountpoint).st_dev != outside

        try:
            eventually(answers, "the mount answers", timeout=30)
        except BaseException:
            self.stop_daemon(daemon, mountpoint)
            raise
        return daemon

    def mount(self, options=None):
        self.daemon = self.start_daemon(self.mountpoint, self.options if options is None else options)

    def unmount(self):
        daemon, self.daemon = self.daemon, None
        if daemon:
            return self.stop_daemon(daemon, self.mountpoint)
        return None

    def remount(self):
        self.unmount()
        self.mount()

    def stop_daemon(self, daemon, mountpoint):
        """SIGTERM; what does not end in time is killed and unmounted from outside. The exit status."""
        if daemon.poll() is None:
            daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            print(f"# guildfsd (pid {daemon.pid}) did not end within 20 s of SIGTERM; killing it", file=sys.stderr)
            abort_connection(mountpoint)
            daemon.kill()
            daemon.wait(20)
        while self.mounted(mountpoint):
            calls.umount2(mountpoint, calls.MNT_DETACH)
        return daemon.returncode

    def daemon_pids(self):
        """All that serve this store, those in the background too."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue  # it has ended meanwhile
                if os.fsencode(self.store) in words:
                    found.append(int(entry.name))
        return found

    def log_tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "".join("    | " + line + "\n" for line in text.splitlines()[-lines:])

    def close(self):
        worker.kill_all()
        try:
            self.unmount()
        finally:
            for pid in self.daemon_pids():
                os.kill(pid, signal.SIGKILL)
            if self.dir.exists() and not os.environ.get("GUILDFS_KEEP"):
                if self.in_memory:
                    calls.umount2(self.dir, calls.MNT_DETACH)
                    self.in_memory = False
                shutil.rmtree(self.dir, ignore_errors=True)


def mount_tmpfs(folder):
    calls.mount("guildfs-test", folder, "tmpfs", 0)
    try:
        os.setxattr(folder, "user.guildfs-test", b"")
        os.removexattr(folder, "user.guildfs-test")
        return True
    except OSError:
        calls.umount2(folder)
        return False


def abort_connection(mountpoint):
    """Ends a FUSE connection from the kernel's side: the way out of a daemon that hangs."""
    control = "/sys/fs/fuse/connections"
    try:
        with open("/proc/self/mountinfo") as table:
            device = next(line.split()[2] for line in table if line.split()[4] == str(mountpoint))
        if not os.path.ismount(control):
            calls.mount("fusectl", control, "fusectl", 0)
        pathlib.Path(control, device.split(":")[1], "abort").write_text("1")
    except (OSError, StopIteration) as error:
        print(f"# cannot abort the connection of {mountpoint}: {error}", file=sys.stderr)


# ---- running ----

def require_mounts():
    """Skips where no FUSE mount is possible; with GUILDFS_REQUIRE_MOUNT=1 that is a failure."""
    problem = None
    if os.geteuid() != 0:
        problem = "needs root"
    elif not os.path.exists("/dev/fuse"):
        problem = "no /dev/fuse"
    else:
        try:
            calls.unshare(calls.CLONE_NEWNS)
            calls.mount("none", "/", None, calls.MS_REC | calls.MS_PRIVATE)
        except OSError as error:
            problem = f"cannot make a mount namespace: {error}"
    if problem:
        required = os.environ.get("GUILDFS_REQUIRE_MOUNT") == "1"
        print(f"{'FAIL' if required else 'skip'}: {problem}")
        sys.exit(1 if required else SKIP)


def end_on_signals(limit_s):
    """A clean end (atexit unmounts) on SIGTERM, SIGINT, and when the whole takes longer than its limit."""
    def end(number, frame):
        where = "".join(traceback.format_stack(frame)[-4:])
        print(f"FAIL: ended by {signal.Signals(number).name}, at\n{where}", flush=True)
        worker.kill_all()
        sys.exit(1)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, end)
    signal.alarm(limit_s)


def report(name, function, g):
    """Runs one test function. Whether it passed."""
    start = time.monotonic()
    try:
        function(g)
    except Failure as failure:
        place = [frame for frame in traceback.extract_tb(failure.__traceback__) if frame.filename != __file__][-1]
        print(f"FAIL {name} (line {place.lineno}): {failure}", flush=True)
        return False
    except Exception:
        print(f"FAIL {name}:\n{traceback.format_exc()}", flush=True)
        return False
    print(f"ok   {name} ({time.monotonic() - start:.2f} s)", flush=True)
    return True


def main(users=("alice", "bob"), options="", mounted=True, limit_s=280):
    """Runs every function test_* of the calling program against one Guild, in the order written."""
    program = sys.modules["__main__"]
    parser = argparse.ArgumentParser(description=program.__doc__)
    parser.add_argument("names", nargs="*", help="run only the tests whose name contains one of these")
    parser.add_argument("--setting", action="append", default=[], help="KEY=VALUE for every share, such as data=fast")
    arguments = parser.parse_args()
    wanted = arguments.names
    tests = [(name, function) for name, function in vars(program).items()
             if name.startswith("test_") and (not wanted or any(each in name for each in wanted))]
    require_mounts()
    end_on_signals(limit_s)
    failed = 0
    with Guild(users, options, mounted) as g:
        g.settings = tuple(arguments.setting)
        for name, function in tests:
            failed += not report(name, function, g)
            if g.daemon and g.daemon.poll() is not None:
                print(f"FAIL guildfsd ended with {g.daemon.returncode} during {name}")
                failed += 1
                g.unmount()
                g.mount()
        if failed and g.log_tail():
            print(f"the daemon's log:\n{g.log_tail()}")
    print(f"{len(tests) - failed} of {len(tests)} passed")
    sys.exit(1 if failed or not tests else 0)
