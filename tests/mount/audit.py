#!/usr/bin/env python3
"""The audit log of a mount: every refusal, what was done where a share asks for it, and nothing forged or lost."""

import base64
import calendar
import json
import os
import subprocess
import time
from errno import EACCES, EDQUOT, EEXIST, ENOENT, EPERM, EROFS

import boot  # noqa: F401
import calls
import guild
from calls import errno_name

CREATE, EXCLUSIVE = os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT | os.O_EXCL
FOLDER = "audit"


def lines(g, store=None):
    """The records of the files as they are, parsed by Python; what is no JSON object of one line fails."""
    folder = (store or g.store) / FOLDER
    records = []
    for path in sorted(folder.glob("files-*.jsonl"), key=lambda path: (len(path.name) < 18, path.name)):
        for line in path.read_bytes().split(b"\n")[:-1]:
            records.append(json.loads(line.decode()))
            guild.true(isinstance(records[-1], dict) and "time" in records[-1], f"{line} is a record")
    return records


def accesses(g, share=None):
    return [each for each in lines(g) if each["event"] == "access" and (not share or each["share"] == share.name)]


def path_of(record, member="path"):
    """The name as os functions want it."""
    exact = record.get(member + "_base64")
    return os.fsdecode(base64.b64decode(exact)) if exact else record.get(member)


def settled(g, share):
    """The log up to now: an act that is logged was waited for, and lines come in order."""
    settled.count += 1
    name = f"settled-{settled.count}"
    g.alice.call(os.mkdir, share.at(g.alice, name))
    g.alice.call(os.rmdir, share.at(g.alice, name))
    wanted = [("mkdir", name), ("rmdir", name)]
    guild.eventually(lambda: [(each["operation"], each["path"]) for each in accesses(g, share)][-2:] == wanted,
                     "the log is written")
    return [each for each in accesses(g, share) if not (each["path"] or "").startswith("settled-")]


settled.count = 0


def status(g):
    return json.loads(subprocess.run([guild.GUILDFS, "--json", "status", str(g.mountpoint)], capture_output=True,
                                     text=True, timeout=60).stdout)


# ---- refusals ----

def refused(g, share, function, *arguments, number=EACCES, by="bob"):
    """The one record that the refusal made."""
    before = len(settled(g, share))
    guild.outcome(g.users[by], number, function, *arguments)
    new = settled(g, share)[before:]
    guild.equal(len(new), 1, f"records of {function.__name__}: {new}; number")
    return new[0]


def test_a_denial_says_everything(g):
    g.add_group("lab", bob="member")
    share = g.share("full", group="lab", settings=["audit=changes"], alice="editor")
    guild.make_folder(share.backing / "d")
    guild.make_file(share.backing / "d/f", b"x", 0o666)
    g.cli("grant", "group:lab", share.ref, "viewer", "--wait")
    record = refused(g, share, os.unlink, share.at(g.bob, "d/f"))
    moment = record.pop("time")
    guild.true(abs(time.time() - subprocess_time(moment)) < 30, f"{moment} is now")
    guild.equal(record, {
        "event": "access", "outcome": "denied", "error": "EACCES", "reason": "missing", "operation": "unlink",
        "user": "bob", "user_uuid": g.bob.uuid, "uid": g.bob.uid, "pid": g.bob.worker.pid, "process": "python3",
        "share": "full", "share_uuid": g.json("share", "show", share.ref)["uuid"], "path": "d/f",
        "inode": os.stat(share.backing / "d/f").st_ino, "needed": ["delete"], "missing": ["delete"],
        "authorizations": [{"via": "group lab", "perms": ["view"]}],
        "generation": status(g)["generation"], "mount": str(g.mountpoint)}, "the record")


def subprocess_time(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))


def test_each_kind_of_denial(g):
    share = g.share("kinds", settings=["audit=changes"], alice="editor", bob="viewer")
    guild.make_folder(share.backing / "d", 0o777)
    guild.make_file(share.backing / "f", b"x", 0o666)
    guild.make_file(share.backing / "t", b"x", 0o666)

    def at(*parts):
        return share.at(g.bob, *parts)

    for function, arguments, operation, missing, path, new_path in (
            (calls.read_file, (at("f"),), "open-read", ["download"], "f", None),
            (calls.open_close, (at("f"), os.O_WRONLY), "open-write", ["upload", "delete"], "f", None),
            (calls.open_close, (at("f"), os.O_RDWR), "open-read-write", ["download", "upload", "delete"], "f", None),
            (calls.open_close, (at("t"), os.O_WRONLY | os.O_TRUNC), "truncate", ["upload", "delete"], "t", None),
            (os.truncate, (at("f"), 0), "truncate", ["upload", "delete"], "f", None),
            (os.chmod, (at("f"), 0o600), "chmod", ["upload", "delete"], "f", None),
            (os.utime, (at("f"), (1, 1)), "utimens", ["upload", "delete"], "f", None),
            (os.setxattr, (at("f"), "user.a", b"b"), "setxattr", ["upload", "delete"], "f", None),
            (os.removexattr, (at("f"), "user.a"), "removexattr", ["upload", "delete"], "f", None),
            (calls.write_file, (at("new"), b"", CREATE), "create", ["upload"], "new", None),
            (calls.write_file, (at("d/new"), b"", EXCLUSIVE), "create", ["upload"], "d/new", None),
            (calls.open_tmpfile, (at("d"),), "tmpfile", ["upload"], "d", None),
            (os.mkdir, (at("d/e"),), "mkdir", ["make-folder"], "d/e", None),
            (os.symlink, ("target", at("s")), "symlink", ["upload"], "s", None),
            (os.unlink, (at("f"),), "unlink", ["delete"], "f", None),
            (os.rmdir, (at("d"),), "rmdir", ["delete"], "d", None),
            (os.rename, (at("f"), at("g")), "rename", ["rename"], "f", "g"),
            (os.rename, (at("f"), at("d/g")), "move-out", ["delete"], "f", "d/g"),
            (calls.renameat2, (at("f"), at("d"), calls.RENAME_EXCHANGE), "exchange",
             ["upload", "rename", "delete"], "f", "d")):
        record = refused(g, share, function, *arguments)
        found = [record["error"], record["reason"], record["operation"], record["missing"], path_of(record),
                 path_of(record, "new_path")]
        guild.equal(found, ["EACCES", "missing", operation, missing, path, new_path], function.__name__)
        guild.equal(set(missing) - set(record["needed"]), set(), "what is missing was needed")
    record = refused(g, share, os.link, at("f"), at("d/h"), number=EPERM)
    guild.equal([record["operation"], record["error"], path_of(record), path_of(record, "new_path")],
                ["link", "EPERM", "f", "d/h"], "link")
    record = refused(g, share, os.mkfifo, share.at(g.alice, "fifo"), number=EPERM, by="alice")
    guild.equal([record["operation"], record["reason"], path_of(record)], ["mknod", "never", "fifo"], "mknod")


def test_other_reasons(g):
    archived = g.share("archived", settings=["audit=none"], alice="editor", bob="editor")
    guild.make_file(archived.backing / "f", b"x", 0o666)
    g.cli("share", "set", archived.ref, "state=archived", "--wait")
    guild.outcome(g.bob, EROFS, os.unlink, archived.at(g.bob, "f"))
    full = g.share("quota", settings=["quota=1M"], alice="editor", bob="editor")
    g.alice.call(calls.write_file, full.at(g.alice, "big"), b"x" * (2 << 20))
    guild.eventually(lambda: g.bob.errno(os.mkdir, full.at(g.bob, "d")) == EDQUOT or
                     g.bob.call(os.rmdir, full.at(g.bob, "d")), "the share is full")
    box = g.share("box", alice="editor", bob="dropbox")
    guild.make_file(box.backing / "secret")
    guild.outcome(g.bob, EACCES, calls.write_file, box.at(g.bob, "secret"), b"", CREATE)
    for share, number, reason, operation, path in ((archived, EROFS, "archived", "unlink", "f"),
                                                   (full, EDQUOT, "quota", "mkdir", "d"),
                                                   (box, EACCES, "taken", "create", "secret")):
        guild.eventually(lambda: accesses(g, share), f"a record of {share.name}")
        record = accesses(g, share)[-1]
        guild.equal([record["error"], record["reason"], record["operation"], path_of(record), record["missing"]],
                    [errno_name(number), reason, operation, path, []], share.name)


def test_a_handle_whose_right_has_gone(g):
    # In a fast share the kernel reads by itself: what then comes is not asked here.
    share = g.share("handle", settings=["audit=changes", "data=revocable"], alice="editor", bob="editor")
    guild.make_file(share.backing / "f", b"x" * 100, 0o666)
    fd = g.bob.call(os.open, share.at(g.bob, "f"), os.O_RDWR)
    g.cli("revoke", "user:bob", share.ref, "download,upload,delete", "--wait")
    before = len(settled(g, share))
    guild.outcome(g.bob, EACCES, os.pread, fd, 10, 0)
    guild.outcome(g.bob, EACCES, os.pwrite, fd, b"y", 0)
    new = settled(g, share)[before:]
    guild.equal([(each["operation"], each["error"], each["path"], each["missing"], each.get("handle"))
                 for each in new], [("open-read", "EACCES", "f", ["download"], True),
                                    ("open-write", "EACCES", "f", ["upload", "delete"], True)], "records")
    guild.equal(new[0]["authorizations"], [{"via": "user bob", "perms": ["view", "rename", "make-folder"]}],
                "what bob is left with")
    g.bob.attempt(os.close, fd)


def test_what_is_hidden_is_no_denial(g):
    share = g.share("hidden", settings=["audit=all"], alice="editor", bob="dropbox")
    guild.make_file(share.backing / "secret")
    before = len(settled(g, share))
    for name in ("secret", "nothing"):
        guild.outcome(g.bob, ENOENT, os.stat, share.at(g.bob, name))
        guild.outcome(g.bob, ENOENT, calls.read_file, share.at(g.bob, name))
        guild.outcome(g.bob, ENOENT, os.unlink, share.at(g.bob, name))
    guild.outcome(g.bob, ENOENT, os.statvfs, share.at(g.bob))
    guild.equal(settled(g, share)[before:], [], "records")


# ---- what was done ----

def work(g, share):
    """A bit of everything, all of it allowed."""
    def at(*parts):
        return share.at(g.alice, *parts)

    fd = g.alice.call(os.open, at("made"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    g.alice.call(os.write, fd, b"content")
    g.alice.call(os.ftruncate, fd, 3)
    g.alice.call(os.close, fd)
    g.alice.call(os.mkdir, at("d"))
    g.alice.call(os.symlink, "made", at("s"))
    g.alice.call(os.readlink, at("s"))
    g.alice.call(calls.open_close, at("made"), os.O_RDONLY)
    g.alice.call(calls.open_close, at("made"), os.O_WRONLY)
    g.alice.call(calls.open_close, at("made"), os.O_RDWR | os.O_TRUNC)
    g.alice.call(os.truncate, at("made"), 10)
    g.alice.call(os.chmod, at("made"), 0o600)
    g.alice.call(os.utime, at("made"), (1, 1))
    g.alice.call(os.setxattr, at("made"), "user.a", b"b")
    g.alice.call(os.getxattr, at("made"), "user.a")
    g.alice.call(os.removexattr, at("made"), "user.a")
    g.alice.call(os.link, at("made"), at("d/linked"))
    unnamed = g.alice.call(calls.open_tmpfile, at("d"))
    g.alice.call(calls.link_fd, unnamed, at("d/named"))
    g.alice.call(os.close, unnamed)
    g.alice.call(os.rename, at("made"), at("renamed"))
    g.alice.call(os.rename, at("renamed"), at("d/named"))
    g.alice.call(calls.renameat2, at("d/named"), at("s"), calls.RENAME_EXCHANGE)
    g.alice.call(os.listdir, at("d"))
    g.alice.call(os.unlink, at("d/named"))
    g.alice.call(os.unlink, at("d/linked"))
    g.alice.call(os.unlink, at("s"))
    g.alice.call(os.rmdir, at("d"))
    guild.outcome(g.alice, ENOENT, os.unlink, at("d"))
    guild.outcome(g.alice, EEXIST, os.mkdir, at(""))


CHANGES = [
    ("create", "made", None, ""), ("mkdir", "d", None, ""), ("symlink", "s", None, ""),
    ("open-write", "made", None, ""), ("open-read-write", "made", None, "truncates"), ("truncate", "made", None, ""),
    ("chmod", "made", None, ""), ("utimens", "made", None, ""), ("setxattr", "made", None, ""),
    ("removexattr", "made", None, ""), ("link", "made", "d/linked", ""), ("tmpfile", "d", None, ""),
    ("tmpfile", "d/named", None, ""), ("rename", "made", "renamed", ""), ("rename", "renamed", "d/named", "replaces"),
    ("exchange", "d/named", "s", ""), ("unlink", "d/named", None, ""), ("unlink", "d/linked", None, ""),
    ("unlink", "s", None, ""), ("rmdir", "d", None, "")]
READ = ("open-read", "made", None, "")


def done(records):
    return [(each["operation"], path_of(each), path_of(each, "new_path"),
             "".join(flag for flag in ("truncates", "replaces") if each.get(flag))) for each in records]


def test_audit_all(g):
    share = g.share("all", settings=["audit=all"], alice="editor")
    work(g, share)
    records = settled(g, share)
    wanted = CHANGES[:3] + [READ] + CHANGES[3:]
    guild.equal(done(records), wanted, "what was done")
    for record in records:
        guild.equal([record["outcome"], record["user"], record["pid"], record["authorizations"][0]["via"]],
                    ["allowed", "alice", g.alice.worker.pid, "user alice"], record["operation"])
        guild.true(record["needed"] and "error" not in record, f"{record} says what was needed")


def test_a_create_that_finds_a_file(g):
    """The kernel still has it that the name is free, and sends CREATE for what is an open."""
    share = g.share("taken", settings=["audit=all"], alice="editor")
    path = share.at(g.alice, "f")
    guild.outcome(g.alice, ENOENT, os.stat, path)
    guild.make_file(share.backing / "f", b"", 0o666)
    g.alice.call(calls.open_close, path, os.O_RDWR | os.O_CREAT)
    guild.equal(done(settled(g, share)), [("open-read-write", "f", None, "")], "what was done")


def test_audit_changes(g):
    share = g.share("changes", settings=["audit=changes"], alice="editor")
    work(g, share)
    guild.equal(done(settled(g, share)), CHANGES, "what was done")


def test_audit_none(g):
    share = g.share("nothing", alice="editor", bob="editor")
    work(g, share)
    other = g.share("sentinel", settings=["audit=all"], alice="editor")
    settled(g, other)
    guild.equal(accesses(g, share), [], "records of what is not logged")
    # The option holds for what is open, too, from the next call on.
    g.cli("share", "set", share.ref, "audit=changes", "--wait")
    g.alice.call(os.mkdir, share.at(g.alice, "logged"))
    guild.equal([each["path"] for each in settled(g, share)], ["logged"], "records since the option was set")
    g.cli("share", "set", share.ref, "audit=none", "--wait")
    g.alice.call(os.rmdir, share.at(g.alice, "logged"))
    settled(g, other)
    guild.equal([each["path"] for each in accesses(g, share) if not each["path"].startswith("settled-")], ["logged"],
                "records")


def test_the_guard_is_asked(g):
    """What the mode bits forbid the kernel refuses by itself: where it is logged they say what is stored."""
    share = g.share("bits", alice="editor", bob="reader")
    guild.make_file(share.backing / "f", b"x", 0o644)
    guild.make_folder(share.backing / "d")

    def bits(name):
        return oct(g.bob.call(calls.stat_tuple, share.at(g.bob, name))[0] & 0o777)

    guild.equal((bits("f"), bits("d")), ("0o400", "0o500"), "cut")
    g.cli("share", "set", share.ref, "audit=changes", "--wait")
    guild.equal((bits("f"), bits("d")), ("0o600", "0o700"), "as stored, owner's only")
    for function, arguments in ((calls.open_close, (share.at(g.bob, "f"), os.O_WRONLY)),
                                (os.unlink, (share.at(g.bob, "f"),)), (os.mkdir, (share.at(g.bob, "new"),))):
        guild.outcome(g.bob, EACCES, function, *arguments)
    g.cli("share", "set", share.ref, "audit=none", "--wait")
    guild.equal((bits("f"), bits("d")), ("0o400", "0o500"), "cut again")


# ---- names that lie ----

NASTY = ["x\n{\"event\":\"access\",\"user\":\"root\"}", "quote\"", "back\\slash", "\\", "\",\"user\":\"root\",\"x\":\"",
         "tab\tname", "\x1b[2J\x1b]0;owned\x07", "bad\udcff\udcfe", "half\udce2\udc82", "caf\u00e9", "\u202egpj.exe",
         "\u2028line", "\udcc2", "csi\u009b2J", "\x7f", "x" * 255, "\x01" * 255, "\udcff" * 255, "{}", "*", "[a]"]


def test_names_cannot_forge_lines(g):
    share = g.share("nasty", settings=["audit=all"], alice="editor", bob="viewer")
    settled(g, share)
    before = sum(len(path.read_bytes().splitlines()) for path in (g.store / FOLDER).glob("files-*.jsonl"))
    for name in NASTY:
        g.alice.call(os.mkdir, share.at(g.alice, name))
        guild.outcome(g.bob, EACCES, os.rmdir, share.at(g.bob, name))
        g.alice.call(os.rename, share.at(g.alice, name), share.at(g.alice, name[:250] + ".2"))
    records = settled(g, share)
    for member, wanted in (("path", [each for name in NASTY for each in (name, name, name)]),
                           ("new_path", [each for name in NASTY for each in (None, None, name[:250] + ".2")])):
        guild.equal([path_of(each, member) for each in records], wanted, member)
    raw = b"".join(path.read_bytes() for path in (g.store / FOLDER).glob("files-*.jsonl"))
    guild.true(not any(byte < 0x20 and byte != 0x0a or byte == 0x7f for byte in raw), "no control character")
    after = sum(len(path.read_bytes().split(b"\n")) - 1 for path in (g.store / FOLDER).glob("files-*.jsonl"))
    guild.equal(after - before, 3 * len(NASTY) + 2, "lines: one for each act")
    guild.true(not [each for each in records if each["user"] not in ("alice", "bob")], "nobody else is named")


def found(g, *arguments):
    return g.json("audit", "--files-only", *arguments)


def test_names_are_found(g):
    share = g.share("findable", settings=["audit=changes"], alice="editor")
    for name in NASTY:
        g.alice.call(os.mkdir, share.at(g.alice, name))
        g.alice.call(os.mkdir, share.at(g.alice, name, "below"))
    settled(g, share)
    for name in NASTY:
        records = found(g, "--share", share.ref, "--path", name)
        paths = [path_of(each) for each in records]
        guild.true(name in paths and name + "/below" in paths, f"{name!r} is found: {paths}")
        if "*" not in name and "[" not in name:
            guild.equal(paths, [name, name + "/below"], f"what is found for {name!r}")
    guild.equal(len(found(g, "--share", share.ref, "--path", "*/below")), len(NASTY), "found by a pattern")
    shown = subprocess.run([guild.GUILDFS, "--store", str(g.store), "audit", "--share", share.ref, "--files-only"],
                           capture_output=True, timeout=60).stdout
    guild.equal(shown.count(b"\n"), 1 + len(found(g, "--share", share.ref)), "lines for people")
    guild.true(not any(byte < 0x20 and byte != 0x0a or byte == 0x7f for byte in shown), "nothing for the terminal")
    guild.true("\u202e".encode() not in shown and b"\xc2\x9b" not in shown, "no direction mark, no CSI of eight bits")


# ---- searching ----

def test_searching(g):
    share = g.share("search", settings=["audit=changes"], alice="editor", bob="viewer")
    other = g.share("elsewhere", settings=["audit=changes"], alice="editor", bob="viewer")
    g.alice.call(os.mkdir, share.at(g.alice, "d"))
    g.alice.call(os.mkdir, other.at(g.alice, "d"))
    guild.outcome(g.bob, EACCES, os.rmdir, share.at(g.bob, "d"))
    settled(g, share), settled(g, other)

    def operations(*arguments):
        return [(each["operation"], each["user"], each["share"]) for each in found(g, *arguments)
                if not each["path"].startswith("settled-")]

    in_share = ("--share", "search")
    guild.equal(operations(*in_share), [("mkdir", "alice", "search"), ("rmdir", "bob", "search")], "by share")
    guild.equal(operations(*in_share, "--user", "bob"), [("rmdir", "bob", "search")], "by user")
    guild.equal(operations(*in_share, "--denied"), [("rmdir", "bob", "search")], "denied")
    guild.equal(operations(*in_share, "--operation", "mkdir"), [("mkdir", "alice", "search")], "by operation")
    guild.equal(operations("--path", "d", "--share", "elsewhere"), [("mkdir", "alice", "elsewhere")], "by path")
    guild.equal(operations(*in_share, "--until", "1h"), [], "before an hour ago")
    guild.equal(len(operations(*in_share, "--since", "1h")), 2, "since an hour ago")
    guild.equal(operations(*in_share, "--since", "2261-01-01T00:00:00Z"), [], "in the future")
    # The store's audit is in the same answer, by time.
    whole = g.json("audit", "--share", "search")
    guild.equal(whole, sorted(whole, key=lambda each: each["time"]), "sorted")
    guild.equal([each["operation"] for each in whole[:5]],
                ["share.adopt", "share.set", "grant.set", "grant.set", "mkdir"], "from the share's beginning on")
    guild.equal({each["source"] for each in g.json("audit", "--share", "search", "--store-only")}, {"store"}, "source")
    guild.equal({each["source"] for each in whole}, {"store", "files"}, "sources")
    guild.true(any(each["operation"] == "grant.set" for each in g.json("audit", "--user", "bob", "--store-only")),
               "what was given to bob is found by his name")
    guild.equal([each["operation"] for each in g.json("audit", *in_share, "--limit", "1")], ["rmdir"], "the newest")


def test_only_administrators_read_it(g):
    g.cli("audit", "--as", "alice", status=3)
    guild.equal(os.stat(g.store / FOLDER).st_mode & 0o777, 0o700, "mode of the folder")
    for path in (g.store / FOLDER).iterdir():
        guild.equal(os.stat(path).st_mode & 0o777, 0o600, f"mode of {path.name}")


# ---- floods ----

def total(records):
    """How many denials the lines stand for."""
    return sum(each.get("repeated", 1) for each in records)


def test_a_loop_becomes_a_number(g):
    share = g.share("loop", settings=["audit=changes"], alice="editor", bob="viewer")
    guild.make_file(share.backing / "f")
    results = g.bob.worker.batch([(os.unlink, (share.at(g.bob, "f"),))] * 2000)
    guild.equal({number for number, _ in results}, {EACCES}, "outcomes")
    guild.eventually(lambda: total(accesses(g, share)) == 2000, "all are counted")
    records = accesses(g, share)
    guild.true(len(records) < 100, f"{len(records)} lines for 2000 equal denials are few")
    guild.equal({(each["operation"], each["path"]) for each in records}, {("unlink", "f")}, "what they tell")
    guild.true("repeated" not in records[0], "the first one is told at once")


def test_a_flood_does_not_bury_others(g):
    share = g.share("flood", settings=["audit=changes"], alice="editor", bob="viewer")
    start = time.monotonic()
    results = g.bob.worker.batch([(os.mkdir, (share.at(g.bob, f"n{number}"),)) for number in range(3000)])
    seconds = time.monotonic() - start
    guild.equal({number for number, _ in results}, {EACCES}, "outcomes")
    guild.eventually(lambda: total(accesses(g, share)) == 3000, "all are counted")
    records = accesses(g, share)
    guild.true(len(records) <= 200 + 22 * (seconds + 2), f"{len(records)} lines in {seconds:.1f} s are few")
    guild.true(all(each["user"] == "bob" for each in records), "they tell of whom")
    flood = [each for each in records if each.get("flood")]
    guild.true(flood and all(each["path"] is None and each["operation"] is None for each in flood),
               "what stands for many tells of none")


# ---- rotation, losses, crashes: daemons of their own ----

def with_daemon(options, prepare=None, in_memory=False):
    g = guild.Guild(["alice", "bob"], options, mounted=False, in_memory=in_memory)
    if prepare:
        prepare(g)
    g.mount()
    return g


def change_often(user, path, count):
    user.call(calls.write_file, path)
    user.worker.start_batch([(os.chmod, (path, 0o600)), (os.utime, (path, (1, 1)))] * (count // 2))


def test_rotation_under_load_loses_nothing(_):
    with with_daemon("audit_size=64K,audit_keep=400", in_memory=True) as g:
        share = g.share("load", settings=["audit=changes"], alice="editor", bob="editor")
        for user in (g.alice, g.bob):
            change_often(user, share.at(user, user.name), 3000)
        for user in (g.alice, g.bob):
            guild.equal({number for number, _ in user.worker.finish_batch()}, {0}, "outcomes")
        g.unmount()
        records = lines(g)
        lost = sum(each.get("lost", 0) for each in records)
        made = [each for each in records if each["event"] == "access"]
        guild.equal(len(made) + lost, 6000 + 2, "lines and losses")
        files = sorted((g.store / FOLDER).glob("files-*.jsonl"))
        guild.true(len(files) > 20, f"{len(files)} files are many")
        guild.true(all(path.stat().st_size <= 65536 for path in files), "none is larger than it may be")
        if not lost:
            for user in ("alice", "bob"):
                operations = [each["operation"] for each in made if each["user"] == user]
                guild.equal(operations, ["create"] + ["chmod", "utimens"] * 1500, f"order of what {user} did")
        guild.equal(len(g.json("audit", "--files-only", "--limit", "none")), len(records), "all are found")
        limited = subprocess.run([guild.GUILDFS, "--store", str(g.store), "--json", "audit", "--files-only"],
                                 capture_output=True, text=True, timeout=60)
        guild.equal(len(json.loads(limited.stdout)), 1000, "without a limit of one's own")
        guild.true("the newest 1000 of" in limited.stderr, "it says that there is more")


def test_old_files_go(_):
    with with_daemon("audit_size=64K,audit_keep=2", in_memory=True) as g:
        share = g.share("old", settings=["audit=changes"], alice="editor")
        change_often(g.alice, share.at(g.alice, "f"), 1000)
        guild.equal({number for number, _ in g.alice.worker.finish_batch()}, {0}, "outcomes")
        g.unmount()
        guild.equal(len(list((g.store / FOLDER).glob("files-*.jsonl"))), 3, "files that stay")
        guild.equal(lines(g)[-1]["event"], "stop", "the newest stays")


def test_a_full_disk_stops_nobody(_):
    """On a tiny filesystem: requests go on, losses are counted, and when there is room it goes on."""
    def small_disk(g):
        folder = guild.make_folder(g.store / FOLDER, 0o700)
        calls.mount("small", folder, "tmpfs", 0, "size=128k,mode=700")

    count = 16000
    with with_daemon("audit_size=1G", small_disk, in_memory=True) as g:
        folder = g.store / FOLDER
        try:
            share = g.share("disk", settings=["audit=changes"], alice="editor", bob="editor")
            for user in (g.alice, g.bob):
                change_often(user, share.at(user, user.name), count // 2)
            for user in (g.alice, g.bob):
                guild.true(user.worker.ready(60), "requests end while nothing can be written")
                guild.equal({number for number, _ in user.worker.finish_batch()}, {0}, "outcomes")
            guild.true(status(g)["audit_lost"] > 0, "losses are counted")
            guild.true("No space left" in status(g)["audit_problem"], "the status names the problem")
            guild.true("audit-not-written" in g.log.read_text(), "and so does the log")
            calls.mount("small", folder, "tmpfs", 32, "size=64m")  # MS_REMOUNT
            guild.eventually(lambda: not status(g)["audit_problem"], "it is written again")
            lost = status(g)["audit_lost"]
            guild.eventually(lambda: sum(each.get("lost", 0) for each in lines(g)) == lost, "the loss is in the log")
            guild.eventually(lambda: len(accesses(g)) + lost >= count + 2, "the queue is written")
            guild.equal(len(accesses(g)) + lost, count + 2, "lines and losses")
            guild.true("audit-lost" in g.log.read_text(), "the daemon's log tells of it")
            g.unmount()
        finally:
            g.unmount()
            calls.umount2(folder, calls.MNT_DETACH)


def test_a_killed_daemon_leaves_a_readable_log(_):
    with with_daemon("") as g:
        share = g.share("killed", settings=["audit=changes"], alice="editor")
        g.alice.call(os.mkdir, share.at(g.alice, "before"))
        guild.eventually(lambda: accesses(g, share), "it is written")
        g.daemon.kill()
        g.daemon.wait()
        with open(g.store / FOLDER / "files-0.jsonl", "ab") as log:
            log.write(b'{"time":"2026-01-01T00:00:00.000000000Z","event":"acc')  # as a crash of the host leaves it
        g.unmount()
        g.mount()
        guild.eventually(lambda: g.alice.errno(os.stat, share.at(g.alice)) == 0, "mounted again")
        g.alice.call(os.mkdir, share.at(g.alice, "after"))
        guild.eventually(lambda: b'"path":"after"' in (g.store / FOLDER / "files-0.jsonl").read_bytes(), "written")
        asked = subprocess.run([guild.GUILDFS, "--store", str(g.store), "--json", "audit", "--share", "killed",
                                "--files-only"], capture_output=True, text=True, timeout=60)
        guild.equal([each["path"] for each in json.loads(asked.stdout)], ["before", "after"], "what is read")
        guild.equal(asked.stderr, "guildfs: 1 damaged line of the log was left out\n", "the note")


def test_two_daemons_have_two_files(_):
    with with_daemon("") as g:
        share = g.share("two", settings=["audit=changes"], alice="editor")
        mountpoint = guild.make_folder(g.dir / "second")
        second = g.start_daemon(mountpoint, "user=alice")
        try:
            g.alice.call(os.mkdir, share.at(g.alice, "first"))
            g.alice.call(os.mkdir, str(mountpoint / "my/files/two/second"))
            guild.eventually(lambda: {each["path"]: each["mount"] for each in accesses(g, share)} ==
                             {"first": str(g.mountpoint), "second": str(mountpoint)}, "both are written")
        finally:
            g.stop_daemon(second, mountpoint)
        guild.equal(sorted(path.name for path in (g.store / FOLDER).glob("*.jsonl")),
                    ["files-0.jsonl", "files-1.jsonl"], "files")


guild.main()
