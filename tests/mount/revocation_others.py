#!/usr/bin/env python3
"""Taking rights back, beyond the table of revocation.py: what must go on, who is found, and what stays hidden."""

import ctypes
import fcntl
import mmap
import os
import pathlib
import signal
import threading
import time
from errno import EACCES, EAGAIN, EIO, ENOENT

import boot  # noqa: F401
import calls
import guild

CLONE_FILES = 0x400
OTHERS = ("data=fast", "on_revoke=poison")
KILL = ("data=fast", "on_revoke=kill")
kept = []


def fast(g, name, settings=OTHERS, size=4096, **grants):
    share = g.share(name, settings=settings, **grants)
    guild.make_file(share.backing / "f", b"x" * size, 0o666)
    return share


def revoke(g, user, share, *perms):
    g.cli("revoke", f"user:{user}", share.ref, *perms, "--wait")


def status(g):
    return g.json("status", str(g.mountpoint))


def open_and_map(path):
    fd = os.open(path, os.O_RDONLY)
    kept.append(mmap.mmap(fd, 0, prot=mmap.PROT_READ))
    return fd


def in_own_table(path):
    """A thread with descriptors of its own opens the file, and stays. The first thread has nothing."""
    opened, stay = threading.Event(), threading.Event()

    def hold():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_FILES):
            raise OSError(ctypes.get_errno(), "unshare")
        os.open(path, os.O_RDONLY)
        opened.set()
        stay.wait()

    threading.Thread(target=hold, daemon=True).start()
    return opened.wait(5)


def end(fd):
    """close(2) of what was poisoned says EIO, and closes it all the same."""
    try:
        os.close(fd)
    except OSError as error:
        guild.equal(error.errno, EIO, "close")


# ---- nobody lost a right, but the store is silent ----

def test_a_silent_store_ends_what_is_open(g):
    """The kernel asks nothing in a fast share, so it must be told. Nobody is killed, whatever the share says."""
    share = fast(g, "silent", KILL, bob="editor", alice="editor")
    g.unmount()
    g.mount("stale_limit=1")
    path, other = share.at(g.bob, "f"), share.at(g.alice, "f")
    guild.eventually(lambda: g.bob.errno(os.stat, path) == 0, "mounted")
    fd = g.bob.call(os.open, path, os.O_RDWR)
    mapping = g.bob.call(open_and_map, path)
    guild.equal(g.bob.call(os.pread, fd, 1, 0), b"x", "before")
    moved = g.dir / "store-moved"
    os.rename(g.store, moved)
    try:
        guild.eventually(lambda: g.bob.errno(os.pread, fd, 1, 0) == EIO, "reading ends", 20)
        guild.outcome(g.bob, EIO, os.pwrite, fd, b"w", 0)
        guild.outcome(g.alice, EIO, os.open, other, os.O_RDONLY)
        guild.equal((share.backing / "f").read_bytes()[:1], b"x", "content")
    finally:
        os.rename(moved, g.store)
    guild.eventually(lambda: g.alice.errno(calls.read_file, other) == 0, "served again", 20)
    guild.equal(g.bob.call(calls.read_file, path)[:1], b"x", "a new open of the same file, by the same process")
    guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)
    g.bob.call(end, fd)
    g.bob.call(end, mapping)
    g.bob.call(kept.clear)
    g.unmount()
    g.mount()


# ---- what must go on ----

def test_what_was_not_lost_goes_on(g):
    """Delete and Upload are lost: what was only read can be read on, what could be written is ended."""
    share = fast(g, "writes", bob="editor", alice="editor")
    guild.make_file(share.backing / "g", b"read only", 0o666)
    writer = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDWR)
    reader = g.bob.call(os.open, share.at(g.bob, "g"), os.O_RDONLY)
    revoke(g, "bob", share, "delete")
    guild.outcome(g.bob, EIO, os.pwrite, writer, b"w", 0)
    guild.equal(g.bob.call(os.pread, reader, 100, 0), b"read only", "the other descriptor")
    guild.equal(len(g.bob.call(calls.read_file, share.at(g.bob, "f"))), 4096, "the file by its path")
    guild.outcome(g.bob, EACCES, os.open, share.at(g.bob, "f"), os.O_RDWR)


def test_other_shares_and_views_go_on(g):
    lost, kept_share = fast(g, "lost", bob="editor", alice="editor"), fast(g, "kept", bob="editor")
    mine = g.bob.call(open_and_map, kept_share.at(g.bob, "f"))
    hers = g.alice.call(os.open, lost.at(g.alice, "f"), os.O_RDWR)
    g.alice.call(os.chdir, lost.at(g.alice))
    g.bob.call(open_and_map, lost.at(g.bob, "f"))
    for _ in range(20):
        revoke(g, "bob", lost)
        guild.equal(g.bob.call(os.pread, mine, 1, 0), b"x", "bob in the other share")
        guild.equal(g.alice.call(os.pread, hers, 1, 1), b"x", "alice in this one")
        g.alice.call(os.pwrite, hers, b"a", 0)
        guild.equal(g.alice.call(os.getcwd), lost.at(g.alice), "alice's folder")
        g.cli("grant", "user:bob", lost.ref, "editor", "--wait")
        fd = g.bob.call(os.open, lost.at(g.bob, "f"), os.O_RDWR)
        guild.equal(g.bob.call(os.pread, fd, 1, 0), b"a", "given back")
    g.alice.call(os.chdir, "/")


def test_nothing_is_asked_anew(g):
    """Caches of shares and users that did not change stay: no request comes for what alice has read before."""
    g.unmount()
    g.mount("attr_timeout=3600,entry_timeout=3600")
    share = g.share("cached", alice="reader", bob="editor")
    other = g.share("changed", alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"content")
    path = share.at(g.alice, "f")
    fd = g.alice.call(os.open, path, os.O_RDONLY)
    g.bob.call(os.stat, other.at(g.bob))

    def use():
        guild.equal(g.alice.call(os.pread, fd, 100, 0), b"content", "alice reads")
        g.alice.call(os.stat, path)

    use()
    use()
    for change in (("revoke", "user:bob", other.ref), ("revoke", "user:bob", share.ref),
                   ("grant", "user:bob", share.ref, "viewer"), ("user", "set", "bob", "--status", "suspended"),
                   ("user", "set", "bob", "--status", "active")):
        g.cli(*change, "--wait")
        before = status(g)["requests"]
        use()
        guild.equal(status(g)["requests"] - before, 0, f"requests for what is cached, after {' '.join(change)}")
    g.unmount()
    g.mount()


def test_given_back_while_the_old_is_held(g):
    share = fast(g, "again", bob="view,download")
    path = share.at(g.bob, "f")
    for _ in range(10):
        fd = g.bob.call(os.open, path, os.O_RDONLY)
        revoke(g, "bob", share)
        guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)
        guild.outcome(g.bob, ENOENT, os.stat, path)
        g.cli("grant", "user:bob", share.ref, "view,download", "--wait")
        guild.equal(g.bob.call(calls.read_file, path)[:1], b"x", "by path")
        guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)


def test_a_lock_goes_with_its_descriptor(g):
    share = fast(g, "locked", bob="editor", alice="editor")
    for lock, flags in ((fcntl.lockf, fcntl.LOCK_EX), (fcntl.flock, fcntl.LOCK_EX)):
        fd = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDWR)
        hers = g.alice.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
        g.bob.call(lock, fd, flags)
        guild.outcome(g.alice, (EAGAIN, EACCES), lock, hers, flags | fcntl.LOCK_NB)
        revoke(g, "bob", share)
        g.bob.call(end, fd)
        guild.eventually(lambda: g.alice.errno(lock, hers, flags | fcntl.LOCK_NB) == 0, f"{lock.__name__} is free")
        g.cli("grant", "user:bob", share.ref, "editor", "--wait")
        g.alice.call(os.close, hers)


def test_an_end_date_ends_it(g):
    share = fast(g, "until")
    g.cli("grant", "user:bob", share.ref, "reader", "--until", "+3s")
    path = share.at(g.bob, "f")
    guild.eventually(lambda: g.bob.errno(os.stat, path) == 0, "it shows")
    fd = g.bob.call(os.open, path, os.O_RDONLY)
    guild.equal(g.bob.call(os.pread, fd, 1, 0), b"x", "before its end")
    guild.eventually(lambda: g.bob.errno(os.pread, fd, 1, 0) == EIO, "the descriptor ends with it", 8)


def test_an_archive_ends_writing(g):
    share = fast(g, "archive", bob="editor")
    fd = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDWR)
    g.cli("share", "set", share.ref, "state=archived", "--wait")
    guild.outcome(g.bob, EIO, os.pwrite, fd, b"w", 0)
    guild.equal((share.backing / "f").read_bytes()[:1], b"x", "content")


# ---- who is found ----

def names_holders(g):
    return {(each["pid"], each["descriptors"], each["mappings"]) for each in status(g)["not_closed"]}


def test_a_holder_is_named_until_it_ends(g):
    share = fast(g, "named", bob="view,download")
    holder = g.bob.another_worker()
    holder.call(open_and_map, share.at(g.bob, "f"))
    pid = holder.call(os.getpid)
    revoke(g, "bob", share)
    guild.true((pid, 2, 1) in names_holders(g) or (pid, 1, 1) in names_holders(g), f"{pid} in {names_holders(g)}")
    text = g.cli("status", str(g.mountpoint))
    guild.true(f"(pid {pid}, uid {g.bob.uid}) of bob in files/named" in text, f"named in\n{text}")
    holder.close()
    guild.eventually(lambda: not any(each[0] == pid for each in names_holders(g)), "it has ended")


def test_a_thread_with_its_own_descriptors(g):
    share = fast(g, "thread", bob="view,download")
    holder = g.bob.another_worker()
    guild.true(holder.call(in_own_table, share.at(g.bob, "f")), "the thread has it open")
    pid = holder.call(os.getpid)
    revoke(g, "bob", share)
    guild.true((pid, 1, 0) in names_holders(g), f"{pid} in {names_holders(g)}")
    holder.close()


def ended_by(pid):
    """How a worker of a test ended; None: it is there."""
    found, code = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(code) if found else None


def uid_line(pid):
    status_file = pathlib.Path(f"/proc/{pid}/status").read_text().replace("\t", " ")
    return next(line for line in status_file.splitlines() if line.startswith("Uid:"))


def test_a_stopped_process_is_killed(g):
    share = fast(g, "stopped", KILL, bob="view,download")
    holder, bystander = g.bob.another_worker(), g.bob.another_worker()
    holder.call(open_and_map, share.at(g.bob, "f"))
    pid = holder.call(os.getpid)
    os.kill(pid, signal.SIGSTOP)
    revoke(g, "bob", share)
    guild.equal(ended_by(pid), -signal.SIGKILL, "how it ended")
    holder.pid = None
    guild.equal(ended_by(bystander.pid), None, "another process of bob's")
    bystander.close()


def test_root_is_named_and_not_killed(g):
    share = fast(g, "root", KILL, bob="view,download")
    fd = os.open(share.at(g.bob, "f"), os.O_RDONLY)  # this process, which is root's
    try:
        revoke(g, "bob", share)
        guild.true((os.getpid(), 1, 0) in names_holders(g), f"named: {names_holders(g)}")
        try:
            os.pread(fd, 1, 0)
            raise guild.Failure("root reads on by the descriptor")
        except OSError as error:
            guild.equal(error.errno, EIO, "its descriptor")
    finally:
        end(fd)


def test_an_account_of_the_system_is_named_and_not_killed(g):
    """Else a descriptor that is passed to a service would end it."""
    share = fast(g, "service", KILL, bob="view,download")
    fd = os.open(share.at(g.bob, "f"), os.O_RDONLY)
    pid = os.fork()
    if not pid:
        os.setresuid(2, 2, 2)
        signal.pause()
    os.close(fd)
    try:
        guild.eventually(lambda: " 2" in uid_line(pid), "it is another account's")
        revoke(g, "bob", share)
        guild.equal(ended_by(pid), None, "the service")
        guild.true((pid, 1, 0) in names_holders(g), f"named: {names_holders(g)}")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_same_file_in_another_view_is_not_killed(g):
    share = fast(g, "both", KILL, bob="view,download", alice="view,download")
    hers = g.alice.another_worker()
    fd = hers.call(open_and_map, share.at(g.alice, "f"))
    revoke(g, "bob", share)
    guild.equal(hers.call(os.pread, fd, 1, 0), b"x", "alice reads on")
    hers.close()


# ---- what stays hidden, and does not stay behind ----

def test_the_door_is_hidden(g):
    """Whoever looks, while files are poisoned all the time, sees the views and nothing else."""
    share = fast(g, "door", bob="view,download")
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            seen.update(os.listdir(g.mountpoint))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(10):
            fd = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDONLY)
            revoke(g, "bob", share)
            guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)
            g.cli("grant", "user:bob", share.ref, "view,download", "--wait")
    finally:
        stop.set()
        watcher.join()
    guild.equal(seen, set(g.users), "what the root of the mount shows")
    for name in (".guildfs-", ".guildfs-" + "0" * 32):
        guild.true(not os.path.exists(g.mountpoint / name), f"{name} is not there")


def test_a_single_view(g):
    share = fast(g, "single", bob="view,download")
    g.unmount()
    g.mount("user=bob")
    path = str(g.mountpoint / "my/files/single/f")
    fd = g.bob.call(os.open, path, os.O_RDONLY)
    guild.equal(g.bob.call(os.pread, fd, 1, 0), b"x", "before")
    revoke(g, "bob", share)
    guild.outcome(g.bob, EIO, os.pread, fd, 1, 0)
    g.unmount()
    g.mount()


def test_an_unmount_is_not_held_up(g):
    """A mount in which files have just been poisoned, and nobody is any more, is not busy."""
    share = fast(g, "unmount", bob="view,download")
    fd = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDONLY)
    revoke(g, "bob", share)
    g.bob.attempt(os.close, fd)
    began = time.monotonic()
    g.cli("umount", str(g.mountpoint))
    guild.equal(g.daemon.wait(10), 0, "how the daemon ended")
    guild.true(time.monotonic() - began < 5, "at once")
    g.daemon = None
    g.mount()


guild.main(users=["alice", "bob"])
