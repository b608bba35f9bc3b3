#!/usr/bin/env python3
"""flock, POSIX and OFD locks: between two views, and against a program on the backing file."""

import fcntl
import os
import time
from errno import EACCES, EAGAIN

import boot  # noqa: F401
import calls
import guild

BUSY = (EAGAIN, EACCES)  # fcntl(2) allows both for F_SETLK
KINDS = ("flock", "posix", "ofd")


def lock(fd, kind, exclusive, wait=False, start=0, length=0):
    if kind == "flock":
        calls.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    else:
        setter = calls.posix_lock if kind == "posix" else calls.ofd_lock
        setter(fd, fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, start, length, wait)


def unlock(fd, kind, start=0, length=0):
    if kind == "flock":
        calls.flock(fd, fcntl.LOCK_UN)
    else:
        (calls.posix_lock if kind == "posix" else calls.ofd_lock)(fd, fcntl.F_UNLCK, start, length)


def fresh(g, name):
    share = g.share(name, alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"x" * 100, 0o666)
    return share


def opened(user, share):
    return user.call(os.open, share.at(user, "f"), os.O_RDWR)


def test_two_views(g):
    for kind in KINDS:
        share = fresh(g, f"views-{kind}")
        mine, other = opened(g.alice, share), opened(g.bob, share)
        g.alice.call(lock, mine, kind, True)
        guild.outcome(g.bob, BUSY, lock, other, kind, True)
        guild.outcome(g.bob, BUSY, lock, other, kind, False)
        g.alice.call(unlock, mine, kind)
        g.bob.call(lock, other, kind, False)
        g.alice.call(lock, mine, kind, False)
        guild.outcome(g.alice, BUSY, lock, mine, kind, True)  # bob still shares it
        g.bob.call(os.close, other)
        guild.eventually(lambda: g.alice.errno(lock, mine, kind, True) == 0, f"{kind}: closing gives it back")
        g.alice.call(os.close, mine)


def test_one_view_two_processes(g):
    for kind in KINDS:
        share = fresh(g, f"processes-{kind}")
        second = g.alice.another_worker()
        mine, other = opened(g.alice, share), second.call(os.open, share.at(g.alice, "f"), os.O_RDWR)
        g.alice.call(lock, mine, kind, True)
        guild.true(second.errno(lock, other, kind, True) in BUSY, f"{kind}: the second process is refused")
        g.alice.call(os.close, mine)
        guild.eventually(lambda: second.errno(lock, other, kind, True) == 0, f"{kind}: closing gives it back")
        second.close()


def test_against_a_local_program(g):
    for kind in KINDS:
        share = fresh(g, f"local-{kind}")
        local = os.open(share.backing / "f", os.O_RDWR)
        mine = opened(g.alice, share)
        lock(local, kind, True)
        guild.outcome(g.alice, BUSY, lock, mine, kind, True)
        unlock(local, kind)
        g.alice.call(lock, mine, kind, True)
        try:
            lock(local, kind, True)
            raise guild.Failure(f"{kind}: the local program got a lock that alice holds")
        except OSError as error:
            guild.true(error.errno in BUSY, f"{kind}: the local program is refused")
        g.alice.call(os.close, mine)
        guild.eventually(lambda: locked_here(local, kind), f"{kind}: closing gives it back")
        os.close(local)


def locked_here(fd, kind):
    try:
        lock(fd, kind, True)
        return True
    except OSError:
        return False


def test_ranges(g):
    for kind in ("posix", "ofd"):
        share = fresh(g, f"ranges-{kind}")
        mine, other = opened(g.alice, share), opened(g.bob, share)
        g.alice.call(lock, mine, kind, True, False, 10, 10)
        g.bob.call(lock, other, kind, True, False, 0, 10)
        g.bob.call(lock, other, kind, True, False, 20, 0)
        guild.outcome(g.bob, BUSY, lock, other, kind, True, False, 19, 1)
        guild.outcome(g.bob, BUSY, lock, other, kind, False, False, 5, 10)
        g.alice.call(unlock, mine, kind, 15, 5)
        g.bob.call(lock, other, kind, True, False, 15, 5)
        guild.outcome(g.alice, BUSY, lock, mine, kind, True, False, 0, 0)


def test_asking_for_a_lock(g):
    share = fresh(g, "getlk")
    mine, other = opened(g.alice, share), opened(g.bob, share)
    guild.equal(g.bob.call(calls.posix_getlk, other, fcntl.F_WRLCK)[0], fcntl.F_UNLCK, "no lock in the way")
    g.alice.call(lock, mine, "posix", True, False, 30, 12)
    guild.equal(g.bob.call(calls.posix_getlk, other, fcntl.F_RDLCK)[:3], (fcntl.F_WRLCK, 30, 12), "the lock in the way")


def test_a_waiter_is_woken(g):
    for kind in KINDS:
        share = fresh(g, f"woken-{kind}")
        mine, other = opened(g.alice, share), opened(g.bob, share)
        g.alice.call(lock, mine, kind, True)
        g.bob.worker.start(lock, other, kind, True, True)
        guild.true(not g.bob.worker.ready(0.2), f"{kind}: bob waits")
        start = time.monotonic()
        g.alice.call(unlock, mine, kind)
        guild.equal(g.bob.worker.finish(5)[0], 0, f"{kind}: bob's lock")
        guild.true(time.monotonic() - start < 1, f"{kind}: within a second")
        guild.outcome(g.alice, BUSY, lock, mine, kind, True)
        g.bob.call(os.close, other)


def test_a_local_program_wakes_a_waiter(g):
    for kind in KINDS:
        share = fresh(g, f"local-wakes-{kind}")
        local = os.open(share.backing / "f", os.O_RDWR)
        lock(local, kind, True)
        mine = opened(g.alice, share)
        g.alice.worker.start(lock, mine, kind, True, True)
        guild.true(not g.alice.worker.ready(0.2), f"{kind}: alice waits")
        os.close(local)
        guild.equal(g.alice.worker.finish(5)[0], 0, f"{kind}: alice's lock")
        g.alice.call(os.close, mine)


def test_a_killed_waiter_leaves_nothing(g):
    for kind in KINDS:
        share = fresh(g, f"killed-{kind}")
        mine = opened(g.alice, share)
        g.alice.call(lock, mine, kind, True)
        waiter = g.bob.another_worker()
        other = waiter.call(os.open, share.at(g.bob, "f"), os.O_RDWR)
        waiter.start(lock, other, kind, True, True)
        guild.true(not waiter.ready(0.2), f"{kind}: the waiter waits")
        start = time.monotonic()
        waiter.kill()
        guild.true(time.monotonic() - start < 3, f"{kind}: a waiter dies at once")
        g.alice.call(os.close, mine)
        third = opened(g.bob, share)
        guild.eventually(lambda: g.bob.errno(lock, third, kind, True) == 0, f"{kind}: the dead waiter holds no lock")
        g.bob.call(os.close, third)


def test_a_killed_holder_gives_it_back(g):
    for kind in KINDS:
        share = fresh(g, f"holder-{kind}")
        holder = g.alice.another_worker()
        holder.call(lock, holder.call(os.open, share.at(g.alice, "f"), os.O_RDWR), kind, True)
        other = opened(g.bob, share)
        guild.outcome(g.bob, BUSY, lock, other, kind, True)
        holder.kill()
        guild.eventually(lambda: g.bob.errno(lock, other, kind, True) == 0, f"{kind}: the dead holder's lock is gone")
        g.bob.call(os.close, other)


def test_many_waiters(g):
    share = fresh(g, "many")
    for kind in KINDS:
        mine = opened(g.alice, share)
        g.alice.call(lock, mine, kind, True)
        waiters = [g.bob.another_worker() for _ in range(20)]
        for waiter in waiters:
            waiter.start(take_and_leave, share.at(g.bob, "f"), kind)
        guild.equal(g.alice.errno(os.stat, share.at(g.alice, "f")), 0, "the mount still answers")
        g.alice.call(os.close, mine)
        for waiter in waiters:
            guild.equal(waiter.finish(20)[0], 0, f"{kind}: each waiter has its turn")
            waiter.close()


def take_and_leave(path, kind):
    fd = os.open(path, os.O_RDWR)
    lock(fd, kind, True, True)
    os.close(fd)


def test_closing_any_descriptor_drops_posix_locks(g):
    """POSIX's oldest trap, and what SQLite relies on knowing."""
    share = fresh(g, "posix-close")
    first, second, other = opened(g.alice, share), opened(g.alice, share), opened(g.bob, share)
    g.alice.call(lock, first, "posix", True)
    g.alice.call(os.close, second)
    guild.eventually(lambda: g.bob.errno(lock, other, "posix", True) == 0, "the lock went with the other descriptor")


def opened_to_read(user, share):
    return user.call(os.open, share.at(user, "f"), os.O_RDONLY)


def test_a_reader_of_a_file_that_nobody_locked_before(g):
    """close(2) of such a file sends no FLUSH, so its POSIX lock ends with the open file; the next ones are exact."""
    share = fresh(g, "reader")
    first, second, other = opened_to_read(g.alice, share), opened_to_read(g.alice, share), opened(g.bob, share)
    g.alice.call(lock, first, "posix", False)
    g.alice.call(os.close, second)
    guild.outcome(g.bob, BUSY, lock, other, "posix", True)
    g.alice.call(os.close, first)
    guild.eventually(lambda: g.bob.errno(lock, other, "posix", True) == 0, "the lock went with the open file")
    g.bob.call(unlock, other, "posix")
    first, second = opened_to_read(g.alice, share), opened_to_read(g.alice, share)
    g.alice.call(lock, first, "posix", False)
    guild.outcome(g.bob, BUSY, lock, other, "posix", True)
    g.alice.call(os.close, second)
    guild.outcome(g.bob, 0, lock, other, "posix", True)
    for user, fd in ((g.alice, first), (g.bob, other)):
        user.call(os.close, fd)


def test_a_reader_of_a_database(g):
    share = g.share("base", kind="database", alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"x" * 100, 0o666)
    first, second, other = opened_to_read(g.alice, share), opened_to_read(g.alice, share), opened(g.bob, share)
    g.alice.call(lock, first, "posix", False)
    guild.outcome(g.bob, BUSY, lock, other, "posix", True)
    g.alice.call(os.close, second)
    guild.outcome(g.bob, 0, lock, other, "posix", True)
    for user, fd in ((g.alice, first), (g.bob, other)):
        user.call(os.close, fd)


def test_what_is_closed_is_free(g):
    """RELEASE is on its way when close(2) returns, and so it is waited for."""
    rounds, refused = 100, 0
    share = g.share("closed", alice="editor", bob="editor")
    for number in range(rounds):
        guild.make_file(share.backing / str(number), b"x", 0o666)
        mine = g.alice.call(os.open, share.at(g.alice, str(number)), os.O_RDONLY)
        other = g.bob.call(os.open, share.at(g.bob, str(number)), os.O_RDWR)
        g.alice.call(lock, mine, "posix", False)
        g.alice.call(os.close, mine)
        refused += g.bob.errno(lock, other, "posix", True) != 0
        g.bob.call(os.close, other)
    guild.true(refused <= 2, f"{refused} of {rounds} locks were refused after the holder had closed the file")


def fork_and_lock(path):
    """An OFD lock belongs to the open file: a child that inherited it keeps it when the parent closes."""
    fd = os.open(path, os.O_RDWR)
    calls.ofd_lock(fd, fcntl.F_WRLCK)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os._exit(0)
    os.close(read_end)
    os.close(fd)
    return child, write_end


def end_child(child, write_end):
    os.close(write_end)
    os.waitpid(child, 0)


def test_an_inherited_ofd_lock(g):
    share = fresh(g, "inherited")
    child, write_end = g.alice.call(fork_and_lock, share.at(g.alice, "f"))
    other = opened(g.bob, share)
    guild.outcome(g.bob, BUSY, lock, other, "ofd", True)
    g.alice.call(end_child, child, write_end)
    guild.eventually(lambda: g.bob.errno(lock, other, "ofd", True) == 0, "the last descriptor gives it back")


guild.main()
