"""System calls that Python's os module does not offer, and small compositions of those it does.

Everything here may run in a worker (worker.py): plain functions, arguments and results that can
be pickled, OSError for every failure.
"""

import ctypes
import errno
import fcntl
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_SYMLINK_FOLLOW = 0x400

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
RENAME_WHITEOUT = 4

FALLOC_KEEP_SIZE = 1
FALLOC_PUNCH_HOLE = 2
FALLOC_COLLAPSE_RANGE = 8
FALLOC_ZERO_RANGE = 16

MS_RDONLY, MS_REMOUNT = 1, 32
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_BIND = 4096
MNT_DETACH = 2
CLONE_NEWNS = 0x20000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

SYS_GETDENTS64 = 217 if os.uname().machine == "x86_64" else 61


def check(result, path=None):
    """Turns the -1 of a C call into an OSError."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def renameat2(source, target, flags=0):
    check(libc.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags), source)


def faccessat(path, mode, flags=0):
    """access(2) with the errno that os.access() hides. The system call itself, so that it is the
    kernel that answers and not the C library from a stat."""
    check(libc.faccessat(AT_FDCWD, os.fsencode(path), mode, flags), path)


def fallocate(fd, mode, offset, length):
    check(libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def mount(source, target, kind, flags, data=None):
    check(libc.mount(source.encode(), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags),
                     data and data.encode()), target)


def umount2(target, flags=0):
    check(libc.umount2(os.fsencode(target), flags), target)


def unshare(flags):
    check(libc.unshare(flags))


def prctl(option, value):
    check(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def getdents(fd, size=4096):
    """One getdents64 of an open folder: [(name, inode, next offset, type)], empty at the end."""
    buffer = ctypes.create_string_buffer(size)
    count = check(libc.syscall(ctypes.c_long(SYS_GETDENTS64), fd, buffer, ctypes.c_long(size)))
    entries = []
    position = 0
    while position < count:
        inode, offset, length, kind = struct.unpack_from("=QqHB", buffer, position)
        name = buffer.raw[position + 19:position + length].split(b"\0", 1)[0]
        entries.append((os.fsdecode(name), inode, offset, kind))
        position += length
    return entries


# ---- whole-file compositions, one round trip to a worker each ----

def read_file(path, flags=os.O_RDONLY):
    fd = os.open(path, flags)
    try:
        data = b""
        while chunk := os.read(fd, 1 << 20):
            data += chunk
        return data
    finally:
        os.close(fd)


def write_file(path, data=b"", flags=os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o644):
    """Opens, writes all, closes. Returns the number of bytes."""
    fd = os.open(path, flags, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        return len(data)
    finally:
        os.close(fd)


def open_close(path, flags, mode=0o644):
    os.close(os.open(path, flags, mode))


def listdir_sorted(path):
    return sorted(os.listdir(path))


def stat_tuple(path, follow=False):
    """(mode, size, nlink, uid, gid, mtime_ns, ino) of a path; os.stat_result does not pickle whole."""
    st = os.stat(path, follow_symlinks=follow)
    return st.st_mode, st.st_size, st.st_nlink, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ino


def execute(path):
    """Runs a program; the errno of execve, or its exit status."""
    child = os.posix_spawn(path, [path], {})
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def open_tmpfile(folder, flags=os.O_RDWR, mode=0o644):
    return os.open(folder, os.O_TMPFILE | flags, mode)


def link_fd(fd, path):
    """Gives an unnamed file a name, as an unprivileged process can."""
    source = f"/proc/self/fd/{fd}".encode()  # os.link() would link the symlink itself
    check(libc.linkat(AT_FDCWD, source, AT_FDCWD, os.fsencode(path), AT_SYMLINK_FOLLOW), path)


# ---- locks ----

def ofd_lock(fd, kind, start=0, length=0, wait=False):
    request = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK, request)


def posix_lock(fd, kind, start=0, length=0, wait=False):
    request = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    fcntl.fcntl(fd, fcntl.F_SETLKW if wait else fcntl.F_SETLK, request)


def posix_getlk(fd, kind, start=0, length=0):
    """(type, start, length, pid) of the first lock in the way; type F_UNLCK when there is none."""
    request = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    kind, _, start, length, pid = struct.unpack("hhqqi4x", fcntl.fcntl(fd, fcntl.F_GETLK, request))
    return kind, start, length, pid


def flock(fd, operation):
    fcntl.flock(fd, operation)


def errno_name(number):
    """"ok" for 0, else "EACCES" and the like."""
    return "ok" if number == 0 else errno.errorcode.get(number, str(number))
