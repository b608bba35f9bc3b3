#!/usr/bin/env python3
"""What is in the files: written, appended, mapped, copied, sparse, truncated; and set-id bits."""

import mmap
import os
import random
import select
import stat
from errno import EACCES, EBADF, ELOOP, ENOENT, ENXIO, EPERM, EXDEV, ENOTDIR

import boot  # noqa: F401
import calls
import guild


def fresh(g, name, **settings):
    return g.share(name, alice="editor", bob="editor", **settings)


# ---- reading and writing ----

def random_writes(path, seed):
    """Writes at random places, of random sizes, with truncations; returns what must be in the file."""
    source, image = random.Random(seed), bytearray()
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _ in range(400):
            if source.random() < 0.1:
                size = source.randrange(0, 300_000)
                os.ftruncate(fd, size)
                image = image[:size].ljust(size, b"\0")
                continue
            offset, block = source.randrange(0, 200_000), source.randbytes(source.randrange(1, 70_000))
            os.pwrite(fd, block, offset)
            image = image.ljust(offset, b"\0")
            image[offset:offset + len(block)] = block
            check_at = source.randrange(0, max(len(image), 1))
            if os.pread(fd, 1000, check_at) != bytes(image[check_at:check_at + 1000]):
                raise AssertionError(f"reads back something else at {check_at}")
        return bytes(image)
    finally:
        os.close(fd)


def test_random_writes(g):
    share = fresh(g, "random")
    for seed in range(3):
        image = g.alice.call(random_writes, share.at(g.alice, f"f{seed}"), seed)
        guild.true((share.backing / f"f{seed}").read_bytes() == image, "the backing file holds what was written")
        guild.true(g.bob.call(calls.read_file, share.at(g.bob, f"f{seed}")) == image, "so bob reads")


def test_large_file(g):
    share = fresh(g, "large")
    data = random.Random(1).randbytes(8 << 20)
    g.alice.call(calls.write_file, share.at(g.alice, "f"), data)
    guild.true((share.backing / "f").read_bytes() == data, "stored")
    guild.true(g.bob.call(calls.read_file, share.at(g.bob, "f")) == data, "read")


def append_many(path, mark, count):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    for number in range(count):
        os.write(fd, b"%s %06d\n" % (mark, number))
    os.close(fd)


def test_append_from_two_views(g):
    """Every line arrives whole, once, and in each writer's order."""
    share = fresh(g, "append")
    guild.make_file(share.backing / "log", mode=0o666)
    for user, mark in ((g.alice, b"alice"), (g.bob, b"bobby")):
        user.worker.start(append_many, share.at(user, "log"), mark, 2000)
    for user in (g.alice, g.bob):
        guild.equal(user.worker.finish(60)[0], 0, "appending")
    lines = (share.backing / "log").read_bytes().splitlines()
    guild.equal(len(lines), 4000, "lines")
    for mark in (b"alice", b"bobby"):
        guild.equal([line for line in lines if line.startswith(mark)], [b"%s %06d" % (mark, i) for i in range(2000)],
                    mark)


def append_and_seek(path):
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    os.write(fd, b"one ")
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"two")
    os.close(fd)


def test_append_ignores_the_position(g):
    share = fresh(g, "append-seek")
    guild.make_file(share.backing / "f", b"zero ", 0o666)
    g.alice.call(append_and_seek, share.at(g.alice, "f"))
    guild.equal((share.backing / "f").read_bytes(), b"zero one two", "content")


def test_access_modes_hold(g):
    share = fresh(g, "modes")
    path = share.at(g.alice, "f")
    guild.make_file(share.backing / "f", b"x", 0o666)
    reader, writer = (g.alice.call(os.open, path, flags) for flags in (os.O_RDONLY, os.O_WRONLY))
    guild.outcome(g.alice, EBADF, os.write, reader, b"x")
    guild.outcome(g.alice, EBADF, os.read, writer, 1)
    for fd in (reader, writer):
        g.alice.call(os.close, fd)


# ---- copying, holes ----

def copy_range(source, target, length):
    first, second = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        done = 0
        while done < length:
            count = os.copy_file_range(first, second, length - done)
            if count == 0:
                break
            done += count
        return done
    finally:
        os.close(first)
        os.close(second)


def test_copy_file_range(g):
    share = fresh(g, "copy")
    data = random.Random(2).randbytes(3_000_000)
    guild.make_file(share.backing / "source", data)
    guild.equal(g.alice.call(copy_range, share.at(g.alice, "source"), share.at(g.alice, "target"), len(data)),
                len(data), "copied")
    guild.true((share.backing / "target").read_bytes() == data, "content")
    other = fresh(g, "copy-to")
    guild.equal(g.alice.call(copy_range, share.at(g.alice, "source"), other.at(g.alice, "t"), len(data)), len(data),
                "copied to another share")
    guild.true((other.backing / "t").read_bytes() == data, "content in another share")


def map_extents(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        extents, position, size = [], 0, os.fstat(fd).st_size
        while position < size:
            try:
                start = os.lseek(fd, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == ENXIO:
                    break
                raise
            position = os.lseek(fd, start, os.SEEK_HOLE)
            extents.append((start, position))
        return extents
    finally:
        os.close(fd)


def punch(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR)
    try:
        calls.fallocate(fd, mode, offset, length)
    finally:
        os.close(fd)


def test_holes(g):
    share = fresh(g, "holes")
    path = share.at(g.alice, "sparse")
    mebi = 1 << 20
    g.alice.call(calls.write_file, path, b"start")
    g.alice.call(os.truncate, path, 8 * mebi)
    g.alice.call(calls.write_file, path, b"", os.O_WRONLY)
    guild.true(os.stat(share.backing / "sparse").st_blocks * 512 < mebi, "a truncated-up file is sparse")
    with open(share.backing / "sparse", "r+b") as local:
        local.seek(4 * mebi)
        local.write(b"x" * mebi)
    guild.equal(g.alice.call(map_extents, path), map_extents(share.backing / "sparse"), "data and holes")
    guild.equal(len(g.alice.call(map_extents, path)), 2, "number of data extents")
    g.alice.call(punch, path, calls.FALLOC_PUNCH_HOLE | calls.FALLOC_KEEP_SIZE, 4 * mebi, mebi)
    guild.equal(len(map_extents(share.backing / "sparse")), 1, "extents after punching")
    guild.equal(g.alice.call(calls.stat_tuple, path)[1], 8 * mebi, "size after punching")
    g.alice.call(punch, path, 0, 8 * mebi, mebi)
    guild.equal(os.stat(share.backing / "sparse").st_size, 9 * mebi, "size after allocating")
    g.alice.call(punch, path, calls.FALLOC_KEEP_SIZE, 9 * mebi, mebi)
    guild.equal(g.alice.call(calls.stat_tuple, path)[1], 9 * mebi, "size kept")


# ---- mappings ----

def map_write(path, data):
    fd = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(fd, 0) as area:
            area[100:100 + len(data)] = data
            area.flush()
    finally:
        os.close(fd)


def test_shared_mapping(g):
    share = fresh(g, "map")
    guild.make_file(share.backing / "f", b"." * 10_000, 0o666)
    g.alice.call(map_write, share.at(g.alice, "f"), b"mapped")
    guild.equal((share.backing / "f").read_bytes()[100:106], b"mapped", "stored")
    guild.equal(g.bob.call(calls.read_file, share.at(g.bob, "f"))[100:106], b"mapped", "read by bob")


def map_without_right(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        mmap.mmap(fd, 0, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    finally:
        os.close(fd)


def test_a_mapping_needs_its_right(g):
    share = g.share("map-right", alice="view,download")
    guild.make_file(share.backing / "f", b"x" * 100, 0o666)
    guild.outcome(g.alice, EACCES, map_without_right, share.at(g.alice, "f"))


# ---- files without a name ----

def unnamed(folder, path, data):
    fd = calls.open_tmpfile(folder)
    try:
        os.write(fd, data)
        back = os.pread(fd, 100, 0)
        calls.link_fd(fd, path)
        os.write(fd, b"!")
        return back
    finally:
        os.close(fd)


def test_tmpfile(g):
    share = g.share("tmpfile", alice="contributor")
    before = os.listdir(share.backing)
    guild.equal(g.alice.call(unnamed, share.at(g.alice), share.at(g.alice, "named"), b"data"), b"data", "read back")
    guild.equal((share.backing / "named").read_bytes(), b"data!", "content")
    guild.equal(guild.upload_record(share.backing / "named")[:2], (g.alice.uuid, "pending"), "upload record")
    g.alice.call(os.unlink, share.at(g.alice, "named"))
    fd = g.alice.call(calls.open_tmpfile, share.at(g.alice))
    g.alice.call(os.close, fd)
    guild.equal(os.listdir(share.backing), before, "left over")


# ---- truncation ----

def test_truncate(g):
    share = fresh(g, "truncate")
    path = share.at(g.alice, "f")
    guild.make_file(share.backing / "f", b"0123456789", 0o666)
    g.bob.call(calls.read_file, share.at(g.bob, "f"))  # cached in the other view
    g.alice.call(os.truncate, path, 4)
    g.alice.call(os.truncate, path, 8)
    for user in (g.alice, g.bob):
        guild.equal(user.call(calls.read_file, share.at(user, "f")), b"0123\0\0\0\0", f"{user.name} reads zeros")
    fd = g.alice.call(os.open, path, os.O_RDWR)
    g.alice.call(os.ftruncate, fd, 2)
    guild.equal((share.backing / "f").read_bytes(), b"01", "after ftruncate")
    g.alice.call(os.close, fd)
    g.alice.call(calls.open_close, path, os.O_RDONLY | os.O_TRUNC)
    guild.equal((share.backing / "f").read_bytes(), b"", "after O_RDONLY | O_TRUNC")


# ---- set-id bits, symlinks, special files ----

def test_set_id_bits_never_stick(g):
    share = fresh(g, "setid")
    path = share.at(g.alice, "f")
    fd = g.alice.call(os.open, path, os.O_RDWR | os.O_CREAT, 0o6755)
    g.alice.call(os.fchmod, fd, 0o4755)
    g.alice.call(os.close, fd)
    g.alice.call(os.chmod, path, 0o6755)
    g.alice.call(os.mkdir, share.at(g.alice, "d"), 0o6755)
    g.alice.call(os.mknod, share.at(g.alice, "n"), stat.S_IFREG | 0o4755)
    root = guild.worker.Worker(0, 0)
    root.call(os.chmod, path, 0o6755)
    root.close()
    for name in ("f", "d", "n"):
        guild.equal(os.stat(share.backing / name).st_mode & 0o6000, 0, f"stored set-id bits of {name}")
        guild.equal(g.alice.call(calls.stat_tuple, share.at(g.alice, name))[0] & 0o6000, 0,
                    f"shown set-id bits of {name}")


def test_stored_set_id_bits_do_not_show(g):
    share = fresh(g, "setid-stored")
    guild.make_file(share.backing / "f", b"x", 0o6777)
    guild.equal(g.alice.call(calls.stat_tuple, share.at(g.alice, "f"))[0] & 0o6000, 0, "shown set-id bits")
    g.alice.call(calls.write_file, share.at(g.alice, "f"), b"changed", os.O_WRONLY)
    guild.equal(os.stat(share.backing / "f").st_mode & 0o6000, 0, "stored set-id bits after a write")


def test_mount_flags(g):
    with open("/proc/self/mountinfo") as table:
        options = next(line.split()[5] for line in table if line.split()[4] == str(g.mountpoint))
    guild.true({"nosuid", "nodev"} <= set(options.split(",")), f"nosuid and nodev in {options}")


def test_symlinks_are_stored_as_they_are(g):
    share = fresh(g, "symlinks")
    secret = guild.make_file(g.dir / "outside", b"secret", 0o600)
    for number, target in enumerate((str(secret), "../../../../outside", "/", "..", "no such", "x" * 4000, "a\nb")):
        path = share.at(g.alice, f"l{number}")
        g.alice.call(os.symlink, target, path)
        guild.equal(g.alice.call(os.readlink, path), target, "target shown")
        guild.equal(os.readlink(share.backing / f"l{number}"), target, "target stored")


def test_the_daemon_follows_no_symlink(g):
    """A symlink leads where it leads in the caller's world, with the caller's rights."""
    share = fresh(g, "follow")
    secret = guild.make_file(g.dir / "secret", b"secret", 0o600)
    open_to_all = guild.make_file(g.dir / "open", b"open", 0o644)
    os.symlink(secret, share.backing / "to-secret")
    os.symlink(open_to_all, share.backing / "to-open")
    os.symlink(g.store, share.backing / "to-store")
    guild.outcome(g.alice, EACCES, calls.read_file, share.at(g.alice, "to-secret"))
    guild.outcome(g.alice, ELOOP, calls.read_file, share.at(g.alice, "to-secret"), os.O_RDONLY | os.O_NOFOLLOW)
    guild.outcome(g.alice, (EACCES, ENOENT), os.listdir, share.at(g.alice, "to-store"))
    guild.equal(g.alice.call(calls.read_file, share.at(g.alice, "to-open")), b"open", "what alice may read anyway")
    guild.outcome(g.alice, EACCES, calls.write_file, share.at(g.alice, "to-open"), b"x", os.O_WRONLY)
    guild.outcome(g.alice, ENOTDIR, os.stat, share.at(g.alice, "to-open", "x"))
    os.symlink("loop", share.backing / "loop")
    guild.outcome(g.alice, ELOOP, os.stat, share.at(g.alice, "loop"))


def test_special_files(g):
    """Those that somebody put into the backing folder do not work, and do not hang anybody."""
    share = fresh(g, "special")
    os.mknod(share.backing / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(share.backing / "fifo", 0o666)
    guild.outcome(g.alice, (EACCES, EPERM, ENXIO, ENOENT), os.open, share.at(g.alice, "null"), os.O_RDWR)
    fd = os.open(share.backing / "fifo", os.O_RDWR | os.O_NONBLOCK)  # would be the other end
    number, value = g.alice.attempt(os.open, share.at(g.alice, "fifo"), os.O_WRONLY | os.O_NONBLOCK)
    guild.true(number or g.alice.errno(os.write, value, b"x") or not select.select([fd], [], [], 0.1)[0],
               "nothing goes through a pipe that leads out of the view")
    os.close(fd)
    guild.outcome(g.alice, EPERM, os.mkfifo, share.at(g.alice, "mine"))


def test_a_mount_inside_a_share_is_not_part_of_it(g):
    share = fresh(g, "mounted-over")
    guild.make_folder(share.backing / "d", 0o777)
    guild.make_folder(share.backing / "plain", 0o777)
    calls.mount("none", share.backing / "d", "tmpfs", 0)
    try:
        guild.make_file(share.backing / "d/inside", b"x")
        # The daemon has its own mount namespace only if it was started with one; here it shares the test's.
        guild.outcome(g.alice, (ENOENT, EXDEV), os.stat, share.at(g.alice, "d", "inside"))
    finally:
        calls.umount2(share.backing / "d")


guild.main()
