"""Parser of the case language (tests/cases/README.md), shared by the executors written in Python.

    for statement in cases.parse(path):
        statement.line, statement.verb, statement.<field>

Every statement is one line; '#' begins a comment; words are split as a shell would, so that a
name with a blank can be quoted. Paths in a case begin with the name of a share: "atlas/a/b".

    group NAME
    principal NAME [in GROUP[:ROLE]]... [suspended] Principal  name, groups [(group, role)], suspended
    share NAME kind KIND [group GROUP] [owner USER] [in SHARE/SUB] [KEY=VALUE]...
    grant SUBJECT share:NAME PERMS [until TIME]
    folder | file | symlink PATH [by USER [pending]]
    expect USER OP PATH [to PATH] allow | deny ERRNO
"""

import errno
import shlex
from dataclasses import dataclass, field

ROLES = ("member", "admin", "owner")
KINDS = ("files", "volume", "database", "image", "capsule")


class CaseError(Exception):
    """A line that is not in the language. Its text is FILE:LINE: what is wrong."""


@dataclass
class Group:
    line: int
    name: str
    verb: str = "group"


@dataclass
class Principal:
    line: int
    name: str
    groups: list = field(default_factory=list)  # (group, role)
    suspended: bool = False
    verb: str = "principal"


@dataclass
class Share:
    line: int
    name: str
    kind: str
    group: str = None
    owner: str = None
    around: str = None  # SHARE/SUB of the share that it is nested in
    options: dict = field(default_factory=dict)  # overwrite, grace, quota, state, data, title
    verb: str = "share"


@dataclass
class Grant:
    line: int
    subject: str  # user:NAME group:NAME team:NAME organization:NAME everyone
    share: str
    perms: str
    until: str = None
    verb: str = "grant"


@dataclass
class Item:
    line: int
    verb: str  # folder, file, symlink
    path: str
    by: str = None
    pending: bool = False


@dataclass
class Expect:
    line: int
    user: str
    op: str
    path: str
    to: str = None
    allowed: bool = False
    errno: str = None  # "EACCES"; None when allowed
    verb: str = "expect"


class _Words:
    """The words of one line, taken from the left."""

    def __init__(self, where, words):
        self.where, self.words = where, words

    def fail(self, text):
        raise CaseError(f"{self.where}: {text}")

    def take(self, what):
        if not self.words:
            self.fail(f"missing {what}")
        return self.words.pop(0)

    def take_if(self, word):
        if self.words and self.words[0] == word:
            self.words.pop(0)
            return True
        return False

    def end(self):
        if self.words:
            self.fail(f"unexpected {self.words[0]!r}")


def _principal(line, words):
    result = Principal(line, words.take("name"))
    while words.words:
        if words.take_if("in"):
            group, _, role = words.take("group").partition(":")
            role = role or "member"
            if role not in ROLES:
                words.fail(f"unknown role {role!r}")
            result.groups.append((group, role))
        elif words.take_if("suspended"):
            result.suspended = True
        else:
            words.end()
    return result


def _share(line, words):
    result = Share(line, words.take("name"), "files")
    while words.words:
        word = words.take("option")
        if word == "kind":
            result.kind = words.take("kind")
            if result.kind not in KINDS:
                words.fail(f"unknown kind {result.kind!r}")
        elif word == "group":
            result.group = words.take("group")
        elif word == "owner":
            result.owner = words.take("user")
        elif word == "in":
            result.around = words.take("share")
        elif "=" in word:
            key, _, value = word.partition("=")
            result.options[key] = value
        else:
            words.fail(f"unexpected {word!r}")
    return result


def _grant(line, words):
    subject, target, perms = words.take("subject"), words.take("share"), words.take("permissions")
    if not target.startswith("share:"):
        words.fail(f"{target!r} is not share:NAME")
    until = words.take("time") if words.take_if("until") else None
    return Grant(line, subject, target[len("share:"):], perms, until)


def _item(line, verb, words):
    result = Item(line, verb, words.take("path"))
    if words.take_if("by"):
        result.by = words.take("user")
        result.pending = words.take_if("pending")
    return result


def _expect(line, words):
    result = Expect(line, words.take("user"), words.take("operation"), words.take("path"))
    if words.take_if("to"):
        result.to = words.take("path")
    if words.take_if("allow"):
        result.allowed = True
    elif words.take_if("deny"):
        result.errno = words.take("errno")
        if not hasattr(errno, result.errno):
            words.fail(f"unknown errno {result.errno!r}")
    else:
        words.fail("neither allow nor deny")
    return result


def _statement(where, line, words):
    rest = _Words(where, words)
    verb = rest.take("statement")
    if verb == "group":
        result = Group(line, rest.take("name"))
    elif verb == "principal":
        result = _principal(line, rest)
    elif verb == "share":
        result = _share(line, rest)
    elif verb == "grant":
        result = _grant(line, rest)
    elif verb in ("folder", "file", "symlink"):
        result = _item(line, verb, rest)
    elif verb == "expect":
        result = _expect(line, rest)
    else:
        rest.fail(f"unknown statement {verb!r}")
    rest.end()
    return result


def parse(path):
    """The statements of a file, in order. Raises CaseError."""
    statements = []
    with open(path, encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            where = f"{path}:{number}"
            try:
                words = shlex.split(text, comments=True)
            except ValueError as problem:
                raise CaseError(f"{where}: {problem}") from None
            if words:
                statements.append(_statement(where, number, words))
    return statements
