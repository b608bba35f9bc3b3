#!/usr/bin/env python3
"""Performs a case file (tests/cases/README.md) on a real mount: run-cases.py FILE...

The same file runs against the pure evaluator and through the command line; here every `expect` is
the operation itself, done by the user on the mount. A denial must come with the errno of the case
and change nothing in the backing folder. What an allowed operation changed is put back, and the
mount is made anew, before the next one.
"""

import errno
import fcntl
import os
import pathlib
import shutil
import sys

import boot  # noqa: F401
import calls
import cases
import guild
import operations
from calls import errno_name

CONTENT = b"sixteen bytes ok"


# ---- the operations of the language ----

def fallocate(path):
    fd = os.open(path, os.O_WRONLY)
    try:
        calls.fallocate(fd, 0, 0, 64)
    finally:
        os.close(fd)


def lock(path, operation):
    """On whatever handle the user may have."""
    problem = None
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            fd = os.open(path, flags)
        except OSError as error:
            problem = problem or error
            continue
        try:
            calls.flock(fd, operation | fcntl.LOCK_NB)
            return
        except OSError as error:
            problem = error
        finally:
            os.close(fd)
    raise problem


def lock_shared(path):
    lock(path, fcntl.LOCK_SH)


def lock_exclusive(path):
    lock(path, fcntl.LOCK_EX)


def execute(path):
    calls.execute(path)


OPERATIONS = {
    "lookup": os.lstat, "stat": os.lstat, "list": os.listdir, "readlink": os.readlink, "listxattr": os.listxattr,
    "statfs": os.statvfs, "getxattr": operations.get_xattr, "open-read": operations.open_read,
    "open-write": operations.open_write, "open-read-write": operations.open_read_write, "truncate": operations.truncate,
    "fallocate": fallocate, "setxattr": operations.set_xattr, "removexattr": operations.remove_xattr,
    "chmod": operations.chmod, "chown": operations.chown_other, "utimens": operations.set_times,
    "create": operations.creat, "create-excl": operations.create_new, "tmpfile": operations.create_unnamed,
    "symlink": operations.make_symlink, "mkdir": operations.make_folder, "mknod": operations.make_fifo,
    "unlink": os.unlink, "rmdir": os.rmdir, "lock-shared": lock_shared, "lock-exclusive": lock_exclusive,
    "rename": os.rename, "exchange": operations.exchange, "link": operations.link,
}


class Case:
    """One file: its declarations carried out, its expectations performed."""

    def __init__(self, g, path):
        self.g = g
        self.statements = cases.parse(path)
        self.shares, self.items, self.places = {}, [], {}

    def declare(self):
        for statement in self.statements:
            getattr(self, "_" + statement.verb, self._item)(statement)
        self.fill()
        for statement in self.statements:
            if statement.verb == "share" and statement.options:
                settings = [f"{key}={value}" for key, value in statement.options.items()]
                self.g.cli("share", "set", self.shares[statement.name].ref, *settings)

    def _need_group(self, name):
        if name and name not in self.places:
            self.g.add_group(name)
            self.places[name] = True

    def _group(self, statement):
        self._need_group(statement.name)

    def _principal(self, statement):
        self.g.add_user(statement.name)
        for group, role in statement.groups:
            self._need_group(group)
            self.g.cli("member", "add", group, statement.name, "--role", role)
        if statement.suspended:
            self.g.cli("user", "set", statement.name, "--status", "suspended")

    def _share(self, statement):
        self._need_group(statement.group)
        around = getattr(statement, "around", None)
        if around:
            outer, _, inside = around.partition("/")
            command = ["share", "add", statement.name, "--in", f"{self.shares[outer].ref}/{inside}", "--kind",
                       statement.kind]
            command += ["--owner", statement.owner] if statement.owner else []
            self.g.cli(*command)
            backing = self.shares[outer].backing / inside
            self.shares[statement.name] = guild.Share(self.g, statement.name, backing, statement.group, statement.kind)
            return
        self.shares[statement.name] = self.g.share(statement.name, statement.group, statement.kind, statement.owner,
                                                   wait=False)

    def _grant(self, statement):
        command = ["grant", statement.subject, f"share:{self.shares[statement.share].ref}", statement.perms]
        command += ["--until", statement.until] if statement.until else []
        self.g.cli(*command)

    def _item(self, statement):
        self.items.append(statement)

    def _expect(self, _):
        pass

    def backing(self, path):
        name, _, rest = path.partition("/")
        return self.shares[name].backing / rest

    def fill(self):
        """Makes every share hold exactly what is declared."""
        for share in self.shares.values():
            share.backing.mkdir(exist_ok=True)
            for entry in share.backing.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for item in self.items:
            if item.verb == "expect":
                continue
            path = self.backing(item.path)
            if item.verb == "folder":
                guild.make_folder(path, 0o777)
            elif item.verb == "file":
                guild.make_file(path, CONTENT, 0o755)
            else:
                path.symlink_to("somewhere")
            if item.verb != "symlink":
                os.setxattr(path, operations.NOTE, b"old")
            if item.by:
                guild.set_upload(path, self.g.users[item.by], "pending" if item.pending else "settled")
        self.wanted = self.picture()

    def picture(self):
        return {name: {path: entry._replace(mtime=0) if entry.kind == operations.FOLDER else entry
                       for path, entry in operations.picture(share.backing).items()}
                for name, share in self.shares.items()}

    # ---- expectations ----

    def shown(self, user, path):
        """Where a path of a case shows in a user's view: in the group, under my or under public."""
        name, _, rest = path.partition("/")
        share = self.shares[name]
        places = [share.group] if share.group else []
        for place in (*places, "my", "public"):
            if os.path.lexists(share.at(user, place=place)):  # root may look into every view
                return share.at(user, *([rest] if rest else []), place=place)
        return share.at(user, *([rest] if rest else []), place=places[0] if places else "my")

    def perform(self, expect):
        """None, or what is wrong."""
        user = self.g.users[expect.user]
        paths = [self.shown(user, path) for path in (expect.path, expect.to) if path]
        want = 0 if expect.allowed else getattr(errno, expect.errno)
        if want == errno.EDQUOT:  # usage is counted in the background
            root = self.shown(user, expect.path.partition("/")[0])
            guild.eventually(lambda: os.statvfs(root).f_bavail == 0, "the share counts as full")
        if expect.op not in OPERATIONS:
            return f"the mount executor does not know the operation {expect.op!r}"
        got = user.errno(OPERATIONS[expect.op], *paths)
        changed = self.picture() != self.wanted
        problem = None
        if got != want:
            problem = f"{errno_name(got)}"
        elif want and changed:
            problem = "refused, and yet something changed"
        if changed:
            self.g.unmount()
            self.fill()
            self.g.mount()
        return problem


def run(path):
    """The number of expectations, and of those not met."""
    with guild.Guild(mounted=False) as g:
        case = Case(g, path)
        case.declare()
        g.mount()
        expectations = [statement for statement in case.statements if statement.verb == "expect"]
        failed = 0
        for expect in expectations:
            problem = case.perform(expect)
            if problem:
                failed += 1
                target = f" to {expect.to}" if expect.to else ""
                print(f"{path}:{expect.line}: {expect.user} {expect.op} {expect.path}{target}: expected "
                      f"{'allow' if expect.allowed else expect.errno}, on the mount: {problem}", flush=True)
        if failed:
            print(f"the daemon's log:\n{g.log_tail()}")
    return len(expectations), failed


def main():
    files = sys.argv[1:]
    if not files or files[0].startswith("-"):
        print(__doc__.strip(), file=sys.stdout if files else sys.stderr)
        sys.exit(0 if files else 2)
    guild.require_mounts()
    guild.end_on_signals(230)
    total = failed = 0
    for path in files:
        count, wrong = run(path)
        total, failed = total + count, failed + wrong
    names = ", ".join(pathlib.Path(path).name for path in files)
    print(f"{names}: {total - failed} of {total} expectations hold on the mount")
    sys.exit(1 if failed or not total else 0)


if __name__ == "__main__":
    main()
