#!/usr/bin/env python3
"""What root changes on the filesystem behind the mount shows in the views at once, though their
caches hold for an hour: on filesystems of their own, in files, and tmpfs."""

import atexit
import ctypes
import mmap
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time
from errno import EACCES, EIO, ENOENT

import boot  # noqa: F401
import calls
import guild

HOUR = "attr_timeout=3600,entry_timeout=3600"
WATCHED = HOUR + ",watch=yes"
QUEUE = pathlib.Path("/proc/sys/fs/fanotify/max_queued_events")
AT_STATX_FORCE_SYNC = 0x2000
SOON = 10  # seconds; the caches hold for an hour


# ---- in a user's process ----

def ask(path):
    """stat(2) that the daemon answers, after which the kernel keeps the attributes."""
    buffer = ctypes.create_string_buffer(256)
    calls.check(calls.libc.statx(calls.AT_FDCWD, os.fsencode(path), AT_STATX_FORCE_SYNC, 0x7ff, buffer), path)


def map_file(path):
    """Kept in the process, with its pages read."""
    fd = os.open(path, os.O_RDONLY)
    map_file.kept = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
    os.close(fd)
    return map_file.kept[:4]


def mapped():
    return map_file.kept[:4]


WRITES = 200


def write_often(path):
    fd = os.open(path, os.O_WRONLY)
    for _ in range(WRITES):
        os.pwrite(fd, b"x", 0)
    os.close(fd)


# ---- filesystems ----

KINDS = ["tmpfs"] + [kind for kind in ("ext4", "xfs", "btrfs") if shutil.which(f"mkfs.{kind}")]


class Place:
    """A filesystem of its own in the test's mount namespace; it ends with that, whatever happens, and
    its loop device with it."""

    def __init__(self, g, kind):
        self.kind, self.root = kind, guild.make_folder(g.dir / kind)
        if kind == "tmpfs":
            calls.mount("guildfs-test", self.root, "tmpfs", 0)
        else:
            image = g.dir / f"{kind}.img"
            with open(image, "wb") as file:
                file.truncate(512 << 20)
            subprocess.run([f"mkfs.{kind}", "-q", image], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["mount", "-o", "loop", image, self.root], check=True)
        atexit.register(calls.umount2, self.root, calls.MNT_DETACH)  # before the directory is removed
        self.root.chmod(0o711)


places = {}


def fresh(g, kind, name, **grants):
    if kind not in places:
        places[kind] = Place(g, kind)
    folder = guild.make_folder(places[kind].root / name, 0o777)
    grants = grants or {"alice": "editor", "bob": "editor"}
    return g.share(f"{name}-{kind}", backing=folder, **grants)


def on_each(test):
    def run(g):
        for kind in KINDS:
            test(g, kind)
    run.__name__ = run.__qualname__ = test.__name__
    return run


def keep(g, share, *names):
    """Has both views keep the names and attributes."""
    for user in (g.alice, g.bob):
        user.attempt(os.listdir, share.at(user))
        for name in names:
            path = share.at(user, name)
            if not user.errno(os.lstat, path):
                user.call(ask, path)
                user.call(os.lstat, path)


def seen(g, share, name, what):
    """The same in both views: (function of the path's lstat, wanted)."""
    function, wanted = what
    for user in (g.alice, g.bob):
        path = share.at(user, name)
        guild.eventually(lambda: function(user.call(calls.stat_tuple, path)) == wanted,
                         f"{user.name} sees the change of {name} on {share.name}", SOON)


def comes(g, share, name):
    for user in (g.alice, g.bob):
        guild.eventually(lambda: user.errno(os.lstat, share.at(user, name)) == 0,
                         f"{name} comes for {user.name} on {share.name}", SOON)


def goes(g, share, name):
    for user in (g.alice, g.bob):
        guild.eventually(lambda: user.errno(os.lstat, share.at(user, name)) == ENOENT,
                         f"{name} goes for {user.name} on {share.name}", SOON)


def daemon_status(g):
    return g.json("status", g.mountpoint)


def settle(g, share):
    """Waits until the views have been told all of what came before: of the policy, and of the files that
    were made. Else that may still end what keep() has them keep."""
    def settled():
        status = daemon_status(g)
        return status["settled"] == status["generation"]
    guild.eventually(settled, "the policy's changes have been told", SOON)
    for user in (g.alice, g.bob):
        guild.outcome(user, ENOENT, os.lstat, share.at(user, "settled"))
    guild.make_file(share.backing / "settled")  # its event comes after the others
    comes(g, share, "settled")


# ---- names ----

@on_each
def test_names_that_come(g, kind):
    share = fresh(g, kind, "come")
    guild.make_file(share.backing / "f", b"x")
    keep(g, share, "f", "new", "folder", "hard", "link", "moved", "folder/in")
    guild.make_file(share.backing / "new", b"x")
    comes(g, share, "new")
    guild.make_folder(share.backing / "folder")
    comes(g, share, "folder")
    keep(g, share, "folder/in")
    guild.make_file(share.backing / "folder/in", b"x")
    comes(g, share, "folder/in")
    os.link(share.backing / "f", share.backing / "hard")
    comes(g, share, "hard")
    seen(g, share, "f", (lambda st: st[2], 2))
    os.symlink("f", share.backing / "link")
    comes(g, share, "link")
    os.rename(share.backing / "new", share.backing / "moved")
    comes(g, share, "moved")
    goes(g, share, "new")


def test_a_folder_that_is_entered_at_once(g):
    """That it came is told when somebody works there already, whom that must not disturb."""
    share = fresh(g, "tmpfs", "entered")
    for number in range(100):
        path, marker = share.at(g.bob, f"d{number}"), share.at(g.bob, f"marker{number}")
        guild.outcome(g.bob, ENOENT, os.lstat, marker)
        guild.make_folder(share.backing / f"d{number}")
        g.bob.call(os.chdir, path)
        guild.make_file(share.backing / f"marker{number}")
        guild.eventually(lambda: g.bob.errno(os.lstat, marker) == 0, "told", SOON)  # in the order of events
        guild.equal(g.bob.attempt(os.getcwd), (0, path), "working directory")
    g.bob.call(os.chdir, "/")


@on_each
def test_names_that_go(g, kind):
    share = fresh(g, kind, "go")
    for name in ("f", "g", "h"):
        guild.make_file(share.backing / name, name.encode())
    os.link(share.backing / "h", share.backing / "i")
    guild.make_folder(share.backing / "d")
    guild.make_folder(share.backing / "d/e")
    keep(g, share, "f", "g", "h", "i", "d", "d/e")
    os.unlink(share.backing / "f")
    goes(g, share, "f")
    os.rmdir(share.backing / "d/e")
    goes(g, share, "d/e")
    os.rename(share.backing / "d", share.backing / "dd")
    goes(g, share, "d")
    os.unlink(share.backing / "h")
    goes(g, share, "h")
    seen(g, share, "i", (lambda st: st[2], 1))


@on_each
def test_a_file_that_replaces_another(g, kind):
    share = fresh(g, kind, "replace")
    guild.make_file(share.backing / "f", b"old")
    keep(g, share, "f")
    for user in (g.alice, g.bob):
        guild.equal(user.call(calls.read_file, share.at(user, "f")), b"old", "before")
    guild.make_file(share.backing / "t", b"newer")
    os.rename(share.backing / "t", share.backing / "f")
    for user in (g.alice, g.bob):
        guild.eventually(lambda: user.call(calls.read_file, share.at(user, "f")) == b"newer", "the new file", SOON)
    goes(g, share, "t")


# ---- attributes ----

@on_each
def test_attributes(g, kind):
    share = fresh(g, kind, "attributes")
    file = guild.make_file(share.backing / "f", b"content")
    folder = guild.make_folder(share.backing / "d")
    keep(g, share, "f", "d")
    with open(file, "ab") as appended:
        appended.write(b"+more")
        appended.flush()
        seen(g, share, "f", (lambda st: st[1], 12))  # while it is open
        keep(g, share, "f")
    os.truncate(file, 3)
    seen(g, share, "f", (lambda st: st[1], 3))
    keep(g, share, "f")
    file.chmod(0o400)
    seen(g, share, "f", (lambda st: stat.S_IMODE(st[0]), 0o400))
    keep(g, share, "f")
    os.utime(file, (1, 1))
    seen(g, share, "f", (lambda st: st[5], 1_000_000_000))
    folder.chmod(0o500)
    seen(g, share, "d", (lambda st: stat.S_IMODE(st[0]), 0o500))


@on_each
def test_a_folder_that_is_filled(g, kind):
    """Its number of links and its time, too."""
    share = fresh(g, kind, "filled")
    folder = guild.make_folder(share.backing / "d")
    os.utime(folder, (1, 1))
    keep(g, share, "d")
    guild.make_folder(folder / "sub")
    real = os.stat(folder)
    seen(g, share, "d", (lambda st: (st[2], st[5]), (real.st_nlink, real.st_mtime_ns)))


# ---- content ----

@on_each
def test_pages_go(g, kind):
    """The size stays, and the time is put back: only the event tells."""
    share = fresh(g, kind, "pages")
    file = guild.make_file(share.backing / "f", b"old!" * 1024)
    os.utime(file, (1, 1))
    keep(g, share, "f")
    for user in (g.alice, g.bob):
        guild.equal(user.call(map_file, share.at(user, "f")), b"old!", "mapped before")
    with open(file, "r+b") as opened:
        opened.write(b"new!")
    os.utime(file, (1, 1))
    for user in (g.alice, g.bob):
        guild.eventually(lambda: user.call(mapped) == b"new!", f"{user.name}'s mapping shows the new content", SOON)
        guild.equal(user.call(calls.read_file, share.at(user, "f"))[:4], b"new!", "read")


@on_each
def test_what_a_mapping_wrote_shows_when_it_is_closed(g, kind):
    share = fresh(g, kind, "mapping")
    file = guild.make_file(share.backing / "f", b"old!" * 1024)
    os.utime(file, (1, 1))
    keep(g, share, "f")
    guild.equal(g.bob.call(map_file, share.at(g.bob, "f")), b"old!", "before")
    with open(file, "r+b") as opened, mmap.mmap(opened.fileno(), 0) as writable:
        writable[:4] = b"new!"
    guild.eventually(lambda: g.bob.call(mapped) == b"new!", "a mapping's content", SOON)
    guild.true(os.stat(file).st_mtime_ns != 1_000_000_000, "the mapping changed the time")
    seen(g, share, "f", (lambda st: st[5], os.stat(file).st_mtime_ns))


def test_a_change_while_a_view_has_the_file_open(g):
    """The writer's own view sees it as well as the others."""
    share = fresh(g, "ext4", "writer")
    file = guild.make_file(share.backing / "f", b"x", 0o666)
    fd = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
    g.alice.call(os.pwrite, fd, b"abcd", 0)
    keep(g, share, "f")
    with open(file, "ab") as appended:
        appended.write(b"ef")
    seen(g, share, "f", (lambda st: st[1], 6))
    guild.eventually(lambda: g.alice.call(os.pread, fd, 10, 0) == b"abcdef", "by the open descriptor", SOON)
    g.alice.call(os.close, fd)


# ---- the watch itself ----

def test_views_stay_exact_among_themselves(g):
    """The caches hold for an hour; what one view changes the others see in their next call."""
    share = fresh(g, "ext4", "exact")
    mine, his = share.at(g.alice), share.at(g.bob)
    events = daemon_status(g)["watch_events"]
    for number in range(50):
        name = f"/f{number}"
        guild.equal(g.bob.errno(os.lstat, his + name), ENOENT, "not there")
        g.alice.call(calls.write_file, mine + name, b"x" * number)
        guild.equal(g.bob.call(calls.stat_tuple, his + name)[1], number, "size")
        g.bob.call(ask, his + name)
        g.alice.call(os.truncate, mine + name, number + 1)
        guild.equal(g.bob.call(calls.stat_tuple, his + name)[1], number + 1, "size after truncate")
        g.alice.call(os.rename, mine + name, mine + name + "-moved")
        guild.equal(g.bob.errno(os.lstat, his + name), ENOENT, "moved away")
        guild.equal(g.bob.errno(os.lstat, his + name + "-moved"), 0, "moved")
    guild.make_file(share.backing / "last", b"x")  # whose event comes after all others
    comes(g, share, "last")
    guild.true(daemon_status(g)["watch_events"] < events + 50, "what the daemon does itself is no event")


def test_the_own_view_is_exact(g):
    """What closing a file changes in the backing file shows in the view that closed it."""
    share = fresh(g, "ext4", "own")
    for number in range(20):
        path = share.at(g.alice, f"f{number}")
        fd = g.alice.call(os.open, path, os.O_RDWR | os.O_CREAT, 0o644)
        g.alice.call(os.pwrite, fd, b"abcd", 0)
        g.alice.call(ask, path)
        g.alice.call(os.close, fd)
        real = os.stat(share.backing / f"f{number}")
        guild.eventually(lambda: g.alice.call(os.stat, path).st_ctime_ns == real.st_ctime_ns, "time of change", SOON)


def test_what_is_given_shows(g):
    """Names that were hidden, and negative entries with them."""
    share = fresh(g, "ext4", "given", alice="editor", bob="upload,make-folder")
    guild.make_file(share.backing / "f", b"x")
    path = share.at(g.bob, "f")
    guild.outcome(g.bob, ENOENT, os.lstat, path)
    g.grant("bob", share, "view")
    guild.eventually(lambda: g.bob.errno(os.lstat, path) == 0, "a name shows when it may", 3)
    guild.equal(g.bob.call(os.listdir, share.at(g.bob)), ["f"], "listed")
    g.bob.call(ask, path)
    g.revoke("bob", share, "view")
    guild.eventually(lambda: g.bob.errno(os.lstat, path) == ENOENT, "and is hidden again", 3)


def test_a_share_that_becomes_nested(g):
    """The kernel has kept the folder's name as one of the outer share."""
    outer = fresh(g, "ext4", "outer", alice="view,download", bob="view,download")
    guild.make_folder(outer.backing / "inner", 0o777)
    guild.make_file(outer.backing / "inner/f", b"inner")
    keep(g, outer, "inner", "inner/f")
    path = outer.at(g.alice, "inner", "new")
    guild.outcome(g.alice, EACCES, calls.write_file, path, b"x")
    g.cli("share", "add", "within", "--in", f"{outer.ref}/inner")
    g.cli("grant", "user:alice", "share:within", "upload")
    guild.eventually(lambda: g.alice.errno(calls.write_file, path, b"x") == 0, "alice uploads to the nested share", 5)
    guild.outcome(g.bob, EACCES, calls.write_file, outer.at(g.bob, "inner", "other"), b"x")


def test_another_data_mode_counts_for_names_that_are_kept(g):
    share = fresh(g, "ext4", "mode")
    guild.make_file(share.backing / "f", b"x", 0o666)
    path = share.at(g.bob, "f")
    keep(g, share, "f")

    def requests_of_writing():
        before = daemon_status(g)["requests"]
        g.bob.call(write_often, path)
        return daemon_status(g)["requests"] - before

    guild.true(requests_of_writing() >= WRITES, "the daemon writes")
    if daemon_status(g)["passthrough"] != "works":
        return
    g.cli("share", "set", share.ref, "data=fast")
    guild.eventually(lambda: requests_of_writing() < WRITES, "the kernel writes", 5)


def flood(folder):
    """More events than the queue takes, about things that no view knows."""
    for number in range(int(QUEUE.read_text()) // 2 + 1000):
        path = folder / f"{number}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    shutil.rmtree(folder)


def test_events_that_are_lost(g):
    """While the daemon stands still more happens than the kernel remembers: then all is forgotten."""
    share = fresh(g, "tmpfs", "lost")
    for name in ("gone", "file", "old"):
        guild.make_file(share.backing / name, b"x")
    guild.make_folder(share.backing / "here")
    settle(g, share)
    keep(g, share, "gone", "file", "old", "absent", "new", "here")
    g.bob.call(os.chdir, share.at(g.bob, "here"))
    g.bob.call(map_file, share.at(g.bob, "file"))
    junk = guild.make_folder(places["tmpfs"].root / "junk")
    before = daemon_status(g)["watch_overflows"]
    os.kill(g.daemon.pid, signal.SIGSTOP)
    os.waitpid(g.daemon.pid, os.WUNTRACED)  # it stands still
    try:
        flood(junk)
        os.unlink(share.backing / "gone")
        os.rename(share.backing / "old", share.backing / "new")
        (share.backing / "file").write_bytes(b"longer")
        guild.make_file(share.backing / "absent", b"x")
    finally:
        os.kill(g.daemon.pid, signal.SIGCONT)
    goes(g, share, "gone")
    guild.true(daemon_status(g)["watch_overflows"] > before, "that it was lost is what told of it")
    goes(g, share, "old")
    comes(g, share, "new")
    comes(g, share, "absent")
    seen(g, share, "file", (lambda st: st[1], 6))
    guild.eventually(lambda: g.bob.call(mapped)[:1] == b"l", "pages", SOON)
    guild.equal(g.bob.call(os.getcwd), share.at(g.bob, "here"), "bob's working directory")
    g.bob.call(os.chdir, "/")
    # and it goes on: from some moment on things are kept for long again, and told of
    keep(g, share, "file", "later")
    guild.make_file(share.backing / "later", b"x")
    comes(g, share, "later")


def test_status_says_what_is_watched(g):
    found = {each["path"]: each for each in daemon_status(g)["watch"]}
    for kind, place in places.items():
        mine = [each for path, each in found.items() if path.startswith(str(place.root))]
        guild.equal([(each["type"], each["watch"], each["reason"]) for each in mine], [(kind, "on", None)], kind)
    guild.true(daemon_status(g)["watch_events"] > 0, "events are counted")
    guild.true("on " + str(places["ext4"].root) in g.cli("status", g.mountpoint), "shown to people")


def test_a_store_that_is_away(g):
    """Once everything is refused, nothing is answered from the caches either."""
    share = fresh(g, "ext4", "away")
    guild.make_file(share.backing / "f", b"x")
    g.unmount()
    g.mount(WATCHED + ",stale_limit=1")
    keep(g, share, "f")
    path = share.at(g.bob, "f")
    fd = g.bob.call(os.open, path, os.O_RDONLY)
    moved = g.dir / "store-moved"
    os.rename(g.store, moved)
    try:
        guild.eventually(lambda: g.bob.errno(os.fstat, fd) == EIO, "attributes are not from the cache", 20)
    finally:
        os.rename(moved, g.store)
    guild.eventually(lambda: g.bob.errno(os.stat, path) == 0, "served again", 20)


def test_what_no_event_tells_of(g):
    """A mount point in a share is hidden; when it is gone the folder below shows, in a second."""
    share = fresh(g, "ext4", "covered")
    folder = guild.make_folder(share.backing / "d")
    calls.mount("guildfs-test", folder, "tmpfs", 0)
    try:
        g.unmount()
        g.mount("watch=yes")
        for _ in range(2):  # with the first look the filesystem gets to be watched, and all names are forgotten
            guild.outcome(g.bob, ENOENT, os.lstat, share.at(g.bob, "d"))
    finally:
        calls.umount2(folder)
    guild.eventually(lambda: g.bob.errno(os.lstat, share.at(g.bob, "d")) == 0, "the folder shows", 5)


# ---- without it ----

def test_caches_do_hold_for_an_hour(g):
    """What the tests above rest on: without the watch nothing of it shows."""
    share = fresh(g, "ext4", "hold")
    guild.make_file(share.backing / "f", b"x")
    g.unmount()
    g.mount(HOUR + ",watch=no")
    keep(g, share, "f", "new")
    (share.backing / "f").write_bytes(b"longer")
    guild.make_file(share.backing / "new", b"x")
    guild.equal(g.bob.call(calls.stat_tuple, share.at(g.bob, "f"))[1], 1, "the old size")
    guild.outcome(g.bob, ENOENT, os.lstat, share.at(g.bob, "new"))
    reasons = {each["reason"] for each in daemon_status(g)["watch"]}
    guild.equal(reasons, {"watch=no"}, "reason")


def test_within_attr_timeout(g):
    share = fresh(g, "ext4", "within")
    guild.make_file(share.backing / "f", b"x")
    g.unmount()
    g.mount("watch=no")
    keep(g, share, "f", "new")
    (share.backing / "f").write_bytes(b"longer")
    guild.make_file(share.backing / "new", b"x")
    start = time.monotonic()
    seen(g, share, "f", (lambda st: st[1], 6))
    comes(g, share, "new")
    guild.true(time.monotonic() - start < 5, "within a second or so")


def test_auto_leaves_the_root_filesystem_alone(g):
    if os.stat("/").st_dev != os.stat(g.backing).st_dev:
        return
    g.unmount()
    g.mount("")
    own, other = fresh(g, "ext4", "auto"), g.share("system", alice="editor", bob="editor")
    keep(g, own)
    keep(g, other)
    shown = {each["watch"]: each["path"] for each in daemon_status(g)["watch"]}
    guild.equal(shown, {"on": str(own.backing), "off": str(other.backing)}, "what is watched")


guild.main(options=WATCHED)
