#!/usr/bin/env python3
"""Nothing that is hidden shows: not by any call, not by a count, and not through a warm cache.

alice lists, stats, reads and watches everything first, in her view; then bob, who may not see it,
asks by every call there is. The answer must be the very same as for names that never existed.
"""

import os
import random
import stat
import time
from errno import EACCES, ENOENT

import boot  # noqa: F401
import calls
import guild
from calls import errno_name

FILES, FOLDERS = 40, 10


# ---- what can be asked about a name: each raises or returns ----

def open_with(path, flags):
    os.close(os.open(path, flags))


def rename_away(path):
    os.rename(path, path + ".taken")


def rename_here(path):
    """From a name that does not exist, so that only the source can be refused."""
    os.rename(path + ".never", path)


def exchange_with_own(path):
    own = os.path.dirname(path) + "/bobs-own"
    calls.renameat2(own, path, calls.RENAME_EXCHANGE)


def link_from(path):
    os.link(path, os.path.dirname(path) + "/bobs-link", follow_symlinks=False)


def statx_no_sync(path):
    """Asks for what is cached, whatever its age."""
    buffer = calls.ctypes.create_string_buffer(256)
    dont_sync = 0x4000
    calls.check(calls.libc.statx(calls.AT_FDCWD, os.fsencode(path), dont_sync | calls.AT_SYMLINK_NOFOLLOW, 0x7FF,
                                 buffer))


def below(path):
    os.stat(path + "/below")


def trailing_dot(path):
    os.stat(path + "/.")


def up_again(path):
    os.stat(path + "/../bobs-own")


def watch(path):
    """inotify on the name itself."""
    fd = calls.check(calls.libc.inotify_init1(0))
    try:
        calls.check(calls.libc.inotify_add_watch(fd, os.fsencode(path), 0xFFF), path)
    finally:
        os.close(fd)


def handle_of(path):
    buffer = calls.ctypes.create_string_buffer(b"\x80\0\0\0" + bytes(132), 136)
    mount_id = calls.ctypes.c_int()
    calls.check(calls.libc.name_to_handle_at(calls.AT_FDCWD, os.fsencode(path), buffer, calls.ctypes.byref(mount_id),
                                             0))


QUESTIONS = [
    (os.stat,), (os.lstat,), (statx_no_sync,), (os.readlink,), (os.listxattr,), (os.getxattr, "user.note"),
    (os.getxattr, "user.guildfs.permissions"), (os.getxattr, "user.guildfs.xxh3"), (os.getxattr, "trusted.x"),
    (os.setxattr, "user.note", b"x"), (os.removexattr, "user.note"), (os.listdir,), (os.chdir,), (os.statvfs,),
    (calls.faccessat, 0), (calls.faccessat, 4), (calls.faccessat, 2), (calls.faccessat, 1),
    (open_with, os.O_RDONLY), (open_with, os.O_WRONLY), (open_with, os.O_RDWR), (open_with, os.O_RDONLY | os.O_TRUNC),
    (open_with, os.O_PATH), (open_with, os.O_PATH | os.O_NOFOLLOW), (open_with, os.O_RDONLY | os.O_DIRECTORY),
    (os.truncate, 0), (os.chmod, 0o777), (os.chown, -1, -1), (os.utime,), (os.unlink,), (os.rmdir,), (rename_away,),
    (rename_here,), (exchange_with_own,), (link_from,), (below,), (trailing_dot,), (up_again,), (watch,), (handle_of,),
    (calls.execute,),
]


def ask_everything(path):
    """The errno of every question."""
    answers = []
    for function, *arguments in QUESTIONS:
        try:
            function(path, *arguments)
            answers.append(0)
        except OSError as error:
            answers.append(error.errno)
    return answers


def use_everything(folder, seconds=0):
    """Lists, stats, reads and watches a tree, so that it is in every cache."""
    fd = calls.check(calls.libc.inotify_init1(0o4000))
    count = 0
    for top, folders, files in os.walk(folder):
        calls.check(calls.libc.inotify_add_watch(fd, os.fsencode(top), 0xFFF), top)
        for name in folders + files:
            path = os.path.join(top, name)
            os.lstat(path)
            os.listxattr(path)
            count += 1
        for name in files:
            calls.read_file(os.path.join(top, name))
    return fd, count


def fill(share):
    """Files, folders with files in them, and symlinks. All paths, from the share's root."""
    names = []
    for number in range(FILES):
        guild.make_file(share.backing / f"file-{number}", b"secret", 0o755)
        os.setxattr(share.backing / f"file-{number}", "user.note", b"secret")
        names.append(f"file-{number}")
    for number in range(FOLDERS):
        guild.make_folder(share.backing / f"folder-{number}", 0o777)
        guild.make_file(share.backing / f"folder-{number}" / "inside", b"secret")
        os.symlink("inside", share.backing / f"folder-{number}" / "link")
        os.symlink(f"file-{number}", share.backing / f"link-{number}")
        names += [f"folder-{number}", f"link-{number}", f"folder-{number}/inside", f"folder-{number}/link"]
    return names


def compare(g, paths, never):
    """bob gets ENOENT for each path, and what he gets for a name that never existed."""
    wanted = g.bob.call(ask_everything, never)
    labels = [" ".join(map(str, (function.__name__, *rest))) for function, *rest in QUESTIONS]
    guild.equal([label for label, got in zip(labels, wanted) if got != ENOENT], [],
                "answers about nothing that are not ENOENT")
    for path in paths:
        for label, got, want in zip(labels, g.bob.call(ask_everything, path), wanted):
            if got != want:
                raise guild.Failure(f"{label} of {path}: {errno_name(got)}, "
                                    f"of a name that never existed: {errno_name(want)}")


def test_in_a_drop_box(g):
    share = g.share("box", alice="editor", bob="dropbox")
    names = fill(share)
    fd, count = g.alice.call(use_everything, share.at(g.alice))
    guild.equal(count, len(names), "items that alice used")
    g.bob.call(calls.write_file, share.at(g.bob, "bobs-own"))
    compare(g, [share.at(g.bob, name) for name in names], share.at(g.bob, "never"))
    guild.equal(g.bob.call(os.listdir, share.at(g.bob)), ["bobs-own"], "listing")
    # And once more, with alice at it again in between.
    g.alice.call(use_everything, share.at(g.alice))
    compare(g, [share.at(g.bob, name) for name in names[::7]], share.at(g.bob, "never-2"))
    g.alice.call(os.close, fd)


def test_in_a_group_one_is_not_in(g):
    g.add_group("closed", alice="owner")
    share = g.share("inner", group="closed", alice="editor")
    names = fill(share)
    g.alice.call(use_everything, str(g.alice.view / "closed"))
    hidden = [str(g.bob.view / "closed"), str(g.bob.view / "closed/files"), str(g.bob.view / "closed/files/inner"),
              str(g.bob.view / "my/files/inner")]
    hidden += [str(g.bob.view / "closed/files/inner" / name) for name in names[:10]]
    never = str(g.bob.view / "nogroup")
    compare_bare(g, hidden, never)


def compare_bare(g, paths, never):
    """As compare(), where bob has no item of his own beside it."""
    wanted = g.bob.call(ask_everything, never)
    for path in paths:
        got = g.bob.call(ask_everything, path)
        odd = [(function.__name__, errno_name(mine), errno_name(want))
               for (function, *_), mine, want in zip(QUESTIONS, got, wanted) if mine != want or mine == 0]
        guild.equal(odd, [], f"answers about {path} that differ from those about {never}")


def test_in_anothers_view(g):
    """bob cannot even ask: the gate refuses everything behind it, there or not."""
    share = g.share("mine", alice="editor")
    names = fill(share)
    g.alice.call(use_everything, str(g.alice.view))
    wanted = g.bob.call(ask_everything, str(g.alice.view / "my/files/mine/never"))
    guild.true(0 not in wanted, "nothing is allowed behind the gate")
    for name in names[::5]:
        guild.equal(g.bob.call(ask_everything, share.at(g.alice, name)), wanted, f"answers about {name}")


def folder_facts(path):
    st = os.stat(path)
    return st.st_nlink, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_atime_ns, st.st_blocks


def test_a_drop_box_counts_nothing(g):
    """Link count, size and times of the folder do not tell that something is in it, or came."""
    share = g.share("counts", alice="editor", bob="dropbox")
    g.bob.call(os.mkdir, share.at(g.bob, "bobs"))
    places = [share.at(g.bob), share.at(g.bob, "bobs")]

    def facts():
        return [g.bob.call(folder_facts, place) for place in places]

    before = facts()
    for prefix in ("", "bobs/"):
        for number in range(300):  # enough for a larger directory in the backing filesystem
            g.alice.call(calls.write_file, share.at(g.alice, f"{prefix}a-rather-long-name-of-a-file-{number:020}"))
        for number in range(5):
            g.alice.call(os.mkdir, share.at(g.alice, f"{prefix}folder-{number}"))
    time.sleep(1.1)  # past attr_timeout: what bob sees now was asked of the daemon
    guild.equal(facts(), before, "nlink, size, mtime, ctime, atime, blocks")
    for place in places:
        fd = g.bob.call(os.open, place, os.O_RDONLY | os.O_DIRECTORY)
        entries = g.bob.call(calls.getdents, fd, 65536)
        g.bob.call(os.close, fd)
        guild.true(len(entries) <= 3, f"entries in {place}")


def test_numbers_of_items_tell_nothing_of_other_views(g):
    """readdir's inode numbers are those of stat, so that none can be probed that is not listed."""
    share = g.share("numbers", alice="editor", bob="view")
    fill(share)
    fd = g.bob.call(os.open, share.at(g.bob), os.O_RDONLY | os.O_DIRECTORY)
    entries = g.bob.call(calls.getdents, fd, 65536)
    g.bob.call(os.close, fd)
    for name, inode, _, kind in entries:
        if name not in (".", ".."):
            found = g.bob.call(calls.stat_tuple, share.at(g.bob, name))
            guild.equal((inode, kind), (found[6], stat.S_IFMT(found[0]) >> 12), f"inode and type of {name}")


# ---- the other way round: bob's refused lookups must not disturb alice ----

def attack(paths, seconds):
    """Asks for names that are refused, over and over. How many rounds."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for path in paths:
            for function, arguments in ((os.stat, ()), (os.chdir, ()), (os.open, (os.O_PATH,)), (os.rmdir, ()),
                                        (os.listdir, ())):
                try:
                    function(path, *arguments)
                except OSError:
                    pass
                count += 1
    return count


def walk_and_ask(folder, rounds):
    """getcwd in every folder of a chain. The failures."""
    failures = 0
    for _ in range(rounds):
        os.chdir(folder)
        for _ in range(4):
            try:
                if os.getcwd() != folder:
                    failures += 1
                os.stat("..")
            except OSError:
                failures += 1
    os.chdir("/")
    return failures


def test_getcwd_is_not_disturbed(g):
    share = g.share("chain", alice="editor", bob="dropbox")
    parts = ["a", "b", "c", "d"]
    path = share.backing
    for part in parts:
        path = guild.make_folder(path / part, 0o777)
    chain = ["/".join(parts[:n + 1]) for n in range(len(parts))]
    targets = [share.at(g.bob, each) for each in chain] + [share.at(g.alice, each) for each in chain]
    targets += [share.at(g.alice), str(g.alice.view)]
    attackers = [g.bob.another_worker(), g.bob.another_worker(), guild.worker.Worker(60999, 60999)]
    for attacker in attackers:
        attacker.start(attack, targets, 6.0)
    rounds = 0
    while not attackers[0].ready(0):
        guild.equal(g.alice.call(walk_and_ask, share.at(g.alice, *parts), 500), 0, "failures of getcwd")
        rounds += 500 * 4
    count = sum(attacker.finish(30)[1] for attacker in attackers)
    for attacker in attackers:
        attacker.close()
    print(f"#    {rounds} calls of getcwd, {count} attacks")
    guild.true(rounds > 2000 and count > 2000, "enough rounds to mean something")


# ---- time ----

def clock(paths, rounds):
    """The median time, in µs, of a lookup of each path; in random order, against drifts."""
    times = {path: [] for path in paths}
    order = list(paths) * rounds
    random.Random(5).shuffle(order)
    for path in order:
        start = time.perf_counter_ns()
        try:
            os.stat(path)
        except OSError:
            pass
        times[path].append(time.perf_counter_ns() - start)
    return {path: sorted(each)[len(each) // 2] / 1000 for path, each in times.items()}


def test_hidden_names_are_cached_as_absent_ones_are(g):
    """One class of time: a hidden name must not ask the daemon each time when an absent one does not."""
    share = g.share("timing", alice="editor", bob="dropbox")
    fill(share)
    hidden, absent = share.at(g.bob, "file-1"), share.at(g.bob, "never")
    medians = g.bob.call(clock, [hidden, absent], 2000)
    print(f"#    lookup of a hidden name {medians[hidden]:.1f} µs, of an absent one {medians[absent]:.1f} µs")
    ratio = medians[hidden] / medians[absent]
    guild.true(1 / 3 < ratio < 3, f"hidden and absent names take the same kind of time, ratio {ratio:.2f}")


def test_errors_do_not_differ_by_place(g):
    """A folder that is not there and one that is hidden: the same for what is below it."""
    share = g.share("below", alice="editor", bob="dropbox")
    fill(share)
    for hidden in ("folder-1/new", "folder-1/inside/x", "file-1/x"):
        for function, arguments in ((calls.write_file, ()), (os.mkdir, ()), (os.stat, ())):
            guild.outcome(g.bob, ENOENT, function, share.at(g.bob, hidden), *arguments)
            guild.outcome(g.bob, ENOENT, function, share.at(g.bob, "never/new"), *arguments)
    guild.outcome(g.bob, (EACCES, ENOENT), os.listdir, str(g.alice.view))


guild.main()
