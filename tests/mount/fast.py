#!/usr/bin/env python3
"""Data mode fast: the kernel reads and writes the backing files itself, and all views share their pages."""

import json
import mmap
import os
import shutil
import stat
import subprocess
import sys
from errno import EBUSY, EDQUOT, EROFS, ETXTBSY

import boot  # noqa: F401
import calls
import guild

BLOCK = 4096


def fresh(g, name, settings=(), backing=None):
    return g.share(name, settings=("data=fast", *settings), backing=backing, alice="editor", bob="editor")


def status(g):
    return json.loads(subprocess.run([guild.GUILDFS, "--json", "status", str(g.mountpoint)], check=True,
                                     capture_output=True).stdout)


def requests_during(g, action):
    """How many requests with a decision the daemon served meanwhile."""
    before = status(g)["requests"]
    action()
    return status(g)["requests"] - before


def opened(user, share, name="f", flags=os.O_RDWR):
    return user.call(os.open, share.at(user, name), flags)


# ---- where the data goes ----

def read_and_write_often(fd, times):
    for number in range(times):
        os.pwrite(fd, b"x" * BLOCK, number * BLOCK)
        if os.pread(fd, BLOCK, number * BLOCK) != b"x" * BLOCK:
            raise AssertionError("reads back something else")


def test_data_does_not_pass_through_the_daemon(g):
    share = fresh(g, "past")
    guild.make_file(share.backing / "f", b"", 0o666)
    fd = opened(g.alice, share)
    requests = requests_during(g, lambda: g.alice.call(read_and_write_often, fd, 500))
    g.alice.call(os.close, fd)
    guild.true(requests < 50, f"{requests} requests for 500 reads and 500 writes")
    guild.equal(status(g)["passthrough"], "works", "the status")
    guild.equal((share.backing / "f").stat().st_size, 500 * BLOCK, "size")


kept = {}


def map_file(path, write):
    fd = os.open(path, os.O_RDWR if write else os.O_RDONLY)
    kept["map"] = mmap.mmap(fd, BLOCK, prot=mmap.PROT_READ | (mmap.PROT_WRITE if write else 0))
    os.close(fd)


def mapped(data=None):
    if data:
        kept["map"][:len(data)] = data
    return bytes(kept["map"][:10])


def unmap():
    kept.pop("map").close()


def test_pages_are_shared_by_the_views(g):
    """What one view writes stands in a mapping of another that was made before, whose file is closed already."""
    share = fresh(g, "pages")
    guild.make_file(share.backing / "f", b"-" * BLOCK, 0o666)
    g.bob.call(map_file, share.at(g.bob, "f"), False)
    guild.equal(g.bob.call(mapped), b"-" * 10, "before")
    fd = opened(g.alice, share)
    for number in range(20):
        text = b"write %04d" % number
        g.alice.call(os.pwrite, fd, text, 0)
        guild.equal(g.bob.call(mapped), text, "in the mapping")
    g.alice.call(os.close, fd)
    g.alice.call(map_file, share.at(g.alice, "f"), True)
    g.alice.call(mapped, b"by mapping")
    guild.equal(g.bob.call(mapped), b"by mapping", "from mapping to mapping")
    guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "f"))[:10], b"by mapping", "and by read")
    guild.equal((share.backing / "f").read_bytes()[:10], b"by mapping", "and in the backing file")
    g.alice.call(unmap)
    g.bob.call(unmap)


def append_lines(path, word, count):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    for number in range(count):
        os.write(fd, b"%s %d\n" % (word, number))
    os.close(fd)


def test_appending_from_two_views(g):
    share = fresh(g, "append")
    guild.make_file(share.backing / "f", b"", 0o666)
    count = 3000
    others = [(user, user.another_worker()) for user in (g.alice, g.bob)]
    pids = [worker.call(start_appending, share.at(user, "f"), user.name.encode(), count) for user, worker in others]
    for (_, worker), pid in zip(others, pids):
        guild.equal(worker.call(wait_for, pid), 0, "exit status")
        worker.close()
    lines = (share.backing / "f").read_bytes().splitlines()
    wanted = [b"%s %d" % (word, number) for word in (b"alice", b"bob") for number in range(count)]
    guild.equal(len(lines), 2 * count, "lines")
    guild.true(sorted(lines) == sorted(wanted), "each line once, and whole")
    size = (share.backing / "f").stat().st_size
    for user in (g.alice, g.bob):
        guild.equal(user.call(os.stat, share.at(user, "f")).st_size, size, f"size for {user.name}")


def start_appending(path, word, count):
    pid = os.fork()
    if pid:
        return pid
    try:
        append_lines(path, word, count)
    finally:
        os._exit(0 if not sys.exc_info()[0] else 1)


def wait_for(pid):
    return os.waitpid(pid, 0)[1]


def test_sizes_of_a_file_being_written(g):
    share = fresh(g, "sizes")
    guild.make_file(share.backing / "f", b"", 0o666)
    path = share.at(g.bob, "f")
    reader = opened(g.bob, share, flags=os.O_RDONLY)
    fd = opened(g.alice, share)
    for number in range(50):
        g.alice.call(os.pwrite, fd, b"x" * 100, number * 100)
        guild.equal(g.bob.call(os.stat, path).st_size, (number + 1) * 100, "by path")
        guild.equal(g.bob.call(os.fstat, reader).st_size, (number + 1) * 100, "by descriptor")
        guild.equal(g.bob.call(os.lseek, reader, 0, os.SEEK_END), (number + 1) * 100, "by lseek")
    g.alice.call(os.ftruncate, fd, 7)
    guild.equal(g.bob.call(os.stat, path).st_size, 7, "cut")
    g.alice.call(os.close, fd)
    guild.equal(g.bob.call(os.stat, path).st_size, 7, "closed")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"new", os.O_WRONLY | os.O_TRUNC)
    guild.equal(g.bob.call(os.stat, path).st_size, 3, "emptied by open")
    guild.equal(g.bob.call(os.pread, reader, 100, 0), b"new", "read by the old descriptor")
    g.bob.call(os.close, reader)


def write_direct(path):
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, BLOCK) as buffer:
        buffer[:] = b"d" * BLOCK
        os.pwritev(fd, [buffer], BLOCK)
        buffer[:] = b"\0" * BLOCK
        os.preadv(fd, [buffer], 0)
        head = bytes(buffer[:4])
    os.close(fd)
    return head


def test_direct_io(g):
    share = fresh(g, "direct")
    guild.make_file(share.backing / "f", b"abcd" * (BLOCK // 4), 0o666)
    reader = opened(g.bob, share, flags=os.O_RDONLY)
    guild.equal(g.bob.call(os.pread, reader, 4, 0), b"abcd", "cached")
    guild.equal(g.alice.call(write_direct, share.at(g.alice, "f")), b"abcd", "read directly")
    guild.equal(g.bob.call(os.pread, reader, 4, BLOCK), b"dddd", "written directly")
    guild.equal((share.backing / "f").stat().st_size, 2 * BLOCK, "size")
    g.bob.call(os.close, reader)


def test_set_id_bits_go_before_a_writer_comes(g):
    share = fresh(g, "setid")
    file = guild.make_file(share.backing / "f", b"#!/bin/sh\n", 0o6755)
    g.alice.call(calls.read_file, share.at(g.alice, "f"))
    guild.equal(stat.S_IMODE(file.stat().st_mode), 0o6755, "a reader changes nothing")
    fd = opened(g.alice, share, flags=os.O_WRONLY)
    guild.equal(stat.S_IMODE(file.stat().st_mode), 0o755, "stripped with the open")
    g.alice.call(os.close, fd)


# ---- what the kernel leaves to the daemon ----

def seek_data_and_holes(path):
    fd = os.open(path, os.O_RDWR)
    found = [os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 1 << 20, os.SEEK_HOLE)]
    calls.fallocate(fd, 0, 2 << 20, BLOCK)
    found.append(os.fstat(fd).st_size)
    os.fsync(fd)
    os.close(fd)
    return found


def test_seek_and_fallocate(g):
    share = fresh(g, "seek")
    with open(share.backing / "f", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * BLOCK)
    os.chmod(share.backing / "f", 0o666)
    guild.equal(g.alice.call(seek_data_and_holes, share.at(g.alice, "f")),
                [1 << 20, (1 << 20) + BLOCK, (2 << 20) + BLOCK], "data, hole, size")
    guild.equal(g.bob.call(os.stat, share.at(g.bob, "f")).st_size, (2 << 20) + BLOCK, "size elsewhere")


def copy_range(source, target):
    with open(source, "rb") as into, open(target, "r+b") as out:
        done = os.copy_file_range(into.fileno(), out.fileno(), 3 * BLOCK, 0, BLOCK)
        return done, os.pread(out.fileno(), 4, BLOCK), os.fstat(out.fileno()).st_size


def test_copy_file_range(g):
    share = fresh(g, "copy")
    guild.make_file(share.backing / "from", b"from" * BLOCK, 0o666)
    guild.make_file(share.backing / "to", b"old", 0o666)
    guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "to")), b"old", "before")
    guild.equal(g.alice.call(copy_range, share.at(g.alice, "from"), share.at(g.alice, "to")),
                (3 * BLOCK, b"from", 4 * BLOCK), "copied")
    guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "to"))[BLOCK:], b"from" * (3 * BLOCK // 4), "elsewhere")


# ---- quota ----

MEBI = 1 << 20


def used(g, share):
    st = g.alice.call(os.statvfs, share.at(g.alice))
    return (st.f_blocks - st.f_bfree) * st.f_frsize


def uses(g, share, wanted):
    guild.eventually(lambda: abs(used(g, share) - wanted) < 8 * 1024, f"{share.name} uses {wanted} bytes", 20)


def write_zeros(fd, size, offset):
    os.pwrite(fd, bytes(size), offset)


def test_usage_is_exact_when_all_have_closed(g):
    folder = guild.make_folder(g.backing / "usage", 0o777)
    guild.make_file(folder / "f", b"x" * MEBI, 0o666)
    share = fresh(g, "usage", settings=["quota=100M"], backing=folder)
    uses(g, share, MEBI)
    fds = [(user, opened(user, share)) for user in (g.alice, g.bob, g.alice)]
    for number, (user, fd) in enumerate(fds):
        user.call(write_zeros, fd, MEBI, (number + 1) * MEBI)
    g.alice.call(os.close, fds[0][1])
    uses(g, share, 4 * MEBI)
    g.bob.call(write_zeros, fds[1][1], MEBI, 4 * MEBI)
    g.alice.call(os.ftruncate, fds[2][1], 2 * MEBI)
    uses(g, share, 2 * MEBI)
    g.bob.call(write_zeros, fds[1][1], MEBI, 9 * MEBI)
    g.bob.call(os.close, fds[1][1])
    uses(g, share, 10 * MEBI)
    g.alice.call(os.close, fds[2][1])
    uses(g, share, 10 * MEBI)
    fd = opened(g.alice, share)
    g.alice.call(write_zeros, fd, MEBI, 19 * MEBI)
    g.bob.call(os.unlink, share.at(g.bob, "f"))  # 20 MiB by now, of which 10 have been charged
    uses(g, share, 0)
    g.alice.call(write_zeros, fd, MEBI, 29 * MEBI)
    g.alice.call(os.close, fd)
    g.alice.call(calls.write_file, share.at(g.alice, "last"), bytes(MEBI))
    uses(g, share, MEBI)


def test_what_is_written_during_a_count(g):
    """The quota is set, and with it the count begins, while the file is open and has grown already."""
    share = fresh(g, "counted")
    guild.make_file(share.backing / "f", b"", 0o666)
    fd = opened(g.alice, share)
    g.alice.call(write_zeros, fd, 3 * MEBI, 0)
    g.cli("share", "set", share.ref, "quota=100M", "--wait")
    used(g, share)
    g.alice.call(write_zeros, fd, MEBI, 3 * MEBI)
    g.alice.call(os.close, fd)
    uses(g, share, 4 * MEBI)
    g.alice.call(os.truncate, share.at(g.alice, "f"), MEBI)
    uses(g, share, MEBI)


def test_a_file_that_gets_its_name_late(g):
    share = fresh(g, "late", settings=["quota=100M"])
    uses(g, share, 0)
    fd = g.alice.call(calls.open_tmpfile, share.at(g.alice))
    g.alice.call(write_zeros, fd, 2 * MEBI, 0)
    g.alice.call(calls.link_fd, fd, share.at(g.alice, "f"))
    uses(g, share, 2 * MEBI)
    g.alice.call(write_zeros, fd, MEBI, 2 * MEBI)
    g.alice.call(os.close, fd)
    uses(g, share, 3 * MEBI)


def test_over_quota_nobody_begins_to_write(g):
    folder = guild.make_folder(g.backing / "full", 0o777)
    guild.make_file(folder / "old", b"old", 0o666)
    share = fresh(g, "full", settings=["quota=1M"], backing=folder)
    path = share.at(g.alice, "f")
    early = g.alice.call(os.open, path, os.O_RDWR | os.O_CREAT, 0o644)
    g.alice.call(calls.write_file, share.at(g.alice, "big"), bytes(2 * MEBI))
    guild.eventually(lambda: used(g, share) == MEBI, "the share is full")
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_TRUNC):
        guild.outcome(g.alice, EDQUOT, calls.open_close, share.at(g.alice, "old"), flags)
    guild.equal((share.backing / "old").read_bytes(), b"old", "not truncated")
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "old")), b"old", "to read")
    g.alice.call(write_zeros, early, MEBI, 0)  # what is open finishes
    guild.outcome(g.alice, EDQUOT, os.truncate, share.at(g.alice, "old"), 10)
    g.alice.call(os.truncate, share.at(g.alice, "big"), 0)
    g.alice.call(os.ftruncate, early, 0)
    g.alice.call(os.close, early)
    uses(g, share, 0)
    guild.outcome(g.alice, 0, calls.open_close, share.at(g.alice, "old"), os.O_RDWR)


# ---- descriptors ----

def open_many(folder, count):
    kept["many"] = [os.open(f"{folder}/{number}", os.O_RDWR) for number in range(count)]


def use_many():
    for number, fd in enumerate(kept["many"]):
        os.pwrite(fd, b"again %d" % number, 0)
        if os.pread(fd, 20, 0) != b"again %d" % number:
            raise AssertionError(f"file {number} reads back something else")


def close_many():
    for fd in kept.pop("many"):
        os.close(fd)


def mount_with_limit(g, descriptors):
    starter = guild.make_file(g.dir / "guildfsd", b"", 0o755)
    starter.write_text(f'#!/bin/sh\nulimit -n {descriptors}\nexec {guild.GUILDFSD} "$@"\n')
    program, guild.GUILDFSD = guild.GUILDFSD, starter
    try:
        g.mount("watch=no")  # or what is removed behind the mount would be let go at once
    finally:
        guild.GUILDFSD = program


def test_more_files_than_descriptors(g):
    """The daemon keeps 512 descriptors here. What is open keeps its own; what is not loses it, and its id with it."""
    count = 600
    g.unmount()
    mount_with_limit(g, 2048)
    memory = guild.make_folder(g.dir / "memory", 0o777)
    calls.mount("guildfs-test", memory, "tmpfs", 0)
    try:
        use_many_files(g, memory, count)
    finally:
        g.unmount()
        calls.umount2(memory, calls.MNT_DETACH)
        g.mount()


def use_many_files(g, memory, count):
    share = fresh(g, "many", backing=guild.make_folder(memory / "many", 0o777))
    for number in range(2 * count):
        guild.make_file(share.backing / str(number), b"%d" % number, 0o666)
    worker = g.alice.another_worker()
    worker.call(open_many, share.at(g.alice), count)
    for number in range(count, 2 * count):  # these push each other out
        guild.equal(g.bob.call(calls.read_file, share.at(g.bob, str(number))), b"%d" % number, "content")
    worker.call(use_many)
    worker.call(close_many)
    for user in (g.alice, g.bob):
        for number in (0, 1, count - 1):
            guild.equal(user.call(calls.read_file, share.at(user, str(number))), b"again %d" % number, "at last")
    worker.close()
    guild.true(status(g)["descriptors"] < 600, "the cache is bounded")
    # Removed behind the mount, a file stays as long as there is a descriptor or an id of it.
    for number in range(2 * count):
        (share.backing / str(number)).unlink()
    st = os.statvfs(memory)
    kept_files = st.f_files - st.f_ffree
    guild.true(kept_files < 620, f"{kept_files} of {2 * count} removed files are still held")
    guild.true(kept_files > 20, "and the test would see them")


def used_inodes(path):
    st = os.statvfs(path)
    return st.f_files - st.f_ffree


def test_a_removed_file_is_given_back(g):
    """Also its backing id goes with the last reference."""
    memory = guild.make_folder(g.dir / "removed", 0o777)
    calls.mount("guildfs-test", memory, "tmpfs", 0)
    try:
        share = fresh(g, "removed", backing=guild.make_folder(memory / "share", 0o777))
        before = used_inodes(memory)
        for number in range(50):
            path = share.at(g.alice, str(number))
            g.alice.call(calls.write_file, path, b"content")
            guild.equal(g.bob.call(calls.read_file, share.at(g.bob, str(number))), b"content", "content")
            g.alice.call(os.unlink, path)
        guild.eventually(lambda: used_inodes(memory) == before, "the inodes are free again")
    finally:
        g.unmount()
        calls.umount2(memory, calls.MNT_DETACH)
        g.mount()


def test_times_of_a_mapping_that_outlives_its_file(g):
    """Nobody tells of what is written by it, so attributes of such a file are kept for a second, whatever the option."""
    g.unmount()
    g.mount("attr_timeout=600,entry_timeout=600")
    try:
        share = fresh(g, "outlives")
        file = guild.make_file(share.backing / "f", b"-" * BLOCK, 0o666)
        os.utime(file, (1, 1))
        g.alice.call(map_file, share.at(g.alice, "f"), True)
        guild.equal(g.alice.call(os.stat, share.at(g.alice, "f")).st_mtime, 1, "before")
        guild.equal(g.bob.call(os.stat, share.at(g.bob, "f")).st_mtime, 1, "before")
        g.alice.call(mapped, b"written")
        guild.eventually(lambda: file.stat().st_mtime > 1, "the backing file has a new time")
        for user in (g.alice, g.bob):
            guild.eventually(lambda: user.call(os.stat, share.at(user, "f")).st_mtime > 1, f"{user.name} sees it")
        g.alice.call(unmap)
    finally:
        g.remount()


def made_read_only(folder):
    try:
        calls.mount("guildfs-test", folder, "tmpfs", calls.MS_REMOUNT | calls.MS_RDONLY)
        return True
    except OSError as error:  # RELEASE comes after close(2) has returned
        if error.errno != EBUSY:
            raise
        return False


def test_a_read_only_filesystem_refuses_to_open(g):
    memory = guild.make_folder(g.dir / "read-only", 0o777)
    calls.mount("guildfs-test", memory, "tmpfs", 0)
    try:
        for mode in ("fast", "revocable"):
            folder = guild.make_folder(memory / mode, 0o777)
            guild.make_file(folder / "f", b"content", 0o666)
            share = g.share(f"read-only-{mode}", settings=[f"data={mode}"], backing=folder, alice="editor")
            guild.outcome(g.alice, 0, calls.open_close, share.at(g.alice, "f"), os.O_RDWR)
        guild.eventually(lambda: made_read_only(memory), "no file is open for writing any more")
        for mode in ("fast", "revocable"):
            path = f"{g.alice.view}/my/files/read-only-{mode}/f"
            for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC):
                guild.outcome(g.alice, EROFS, calls.open_close, path, flags)
            guild.equal(g.alice.call(calls.read_file, path), b"content", "to read")
    finally:
        g.unmount()
        calls.umount2(memory, calls.MNT_DETACH)
        g.mount()


def test_a_program_that_runs_on_the_host_is_not_written(g):
    for mode in ("fast", "revocable"):
        share = g.share(f"runs-{mode}", settings=[f"data={mode}"], alice="editor")
        program = share.backing / "sleep"
        shutil.copy("/bin/sleep", program)
        program.chmod(0o777)
        with subprocess.Popen([program, "100"]) as running:
            guild.outcome(g.alice, ETXTBSY, calls.open_close, share.at(g.alice, "sleep"), os.O_WRONLY)
            running.kill()
        guild.outcome(g.alice, 0, calls.open_close, share.at(g.alice, "sleep"), os.O_WRONLY)


def test_unlinked_while_open(g):
    share = fresh(g, "unlinked")
    guild.make_file(share.backing / "f", b"content", 0o666)
    alices, bobs = opened(g.alice, share), opened(g.bob, share)
    g.bob.call(os.unlink, share.at(g.bob, "f"))
    g.alice.call(os.pwrite, alices, b"CON", 0)
    guild.equal(g.bob.call(os.pread, bobs, 20, 0), b"CONtent", "the old descriptors share the file")
    g.alice.call(os.close, alices)
    again = g.bob.call(os.open, f"/proc/self/fd/{bobs}", os.O_RDONLY)
    guild.equal(g.bob.call(os.pread, again, 20, 0), b"CONtent", "opened anew by descriptor")
    for fd in (bobs, again):
        g.bob.call(os.close, fd)


# ---- the mode changes ----

def test_the_mode_changes_while_files_are_open(g):
    share = fresh(g, "switch")
    for name in ("open", "closed"):
        guild.make_file(share.backing / name, b"content", 0o666)
    old = opened(g.alice, share, "open")
    for mode in ("revocable", "fast", "revocable", "fast"):
        g.cli("share", "set", share.ref, f"data={mode}", "--wait")
        fast = mode == "fast"
        fd = opened(g.alice, share, "closed")
        requests = requests_during(g, lambda: g.alice.call(read_and_write_often, fd, 100))
        guild.true((requests < 30) == fast, f"{requests} requests for 100 writes in mode {mode}")
        g.alice.call(os.close, fd)
        text = mode.encode().ljust(10)
        g.alice.call(os.pwrite, old, text, 0)
        for user in (g.alice, g.bob):
            guild.equal(user.call(calls.read_file, share.at(user, "open")), text, f"{user.name} reads what was written")
        fd = opened(g.bob, share, "open")
        g.bob.call(os.pwrite, fd, b"by bob    ", 0)
        guild.equal(g.alice.call(os.pread, old, 20, 0), b"by bob    ", "the old descriptor reads it")
        g.bob.call(os.close, fd)
    g.alice.call(os.close, old)


# ---- where it does not work ----

def lay_over(g, name, below):
    """An overlay filesystem on a folder; its mount point."""
    parts = [guild.make_folder(g.dir / f"{name}-{part}", 0o777) for part in ("upper", "work", "merged")]
    calls.mount("overlay", parts[2], "overlay", 0, f"lowerdir={below},upperdir={parts[0]},workdir={parts[1]}")
    return parts[2]


def test_an_overlay_on_the_mount(g):
    """As container engines lay them. Only a mount with a fast share on an overlay has no room left for that."""
    share = fresh(g, "below")
    guild.make_file(share.backing / "f", b"below", 0o666)
    merged = lay_over(g, "above", share.at(g.alice))
    try:
        guild.equal((merged / "f").read_bytes(), b"below", "read through the overlay")
    finally:
        calls.umount2(merged, calls.MNT_DETACH)


def test_on_an_overlay(g):
    """On one it works; on one that lies on another the kernel refuses, and the share is served like revocable."""
    lower = guild.make_folder(g.dir / "lower", 0o777)
    guild.make_file(guild.make_folder(lower / "data", 0o777) / "f", b"lower", 0o666)
    one = lay_over(g, "one", lower)
    two = lay_over(g, "two", one)
    try:
        shares = [fresh(g, f"on-{folder.name}", backing=folder / "data") for folder in (one, two)]
        g.remount()
        for share, folder, works in zip(shares, (one, two), (True, False)):
            guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice)) == 0, "the mount answers")
            fd = opened(g.alice, share)
            requests = requests_during(g, lambda: g.alice.call(read_and_write_often, fd, 100))
            guild.true((requests < 30) == works, f"{requests} requests for 100 writes on {folder.name}")
            guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "f")), b"x" * (100 * BLOCK), "bob reads")
            guild.equal(status(g)["passthrough"] == "works", works, f"status: {status(g)['passthrough']}")
            g.alice.call(os.close, fd)
        guild.equal(g.log.read_text().count("no-passthrough"), 1, "said once in the log")
    finally:
        g.unmount()
        for folder in (two, one):
            calls.umount2(folder, calls.MNT_DETACH)
        g.mount()


guild.main()
