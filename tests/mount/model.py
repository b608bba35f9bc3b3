"""The operation contract, written down a second time.

The daemon has its own table; this one was written from the published contract without a look at
it, so that a misreading in either shows as a deviation in matrix.py. It answers for one person
and one share: does an item show, which mode bits does it have, and with which errno does an
operation end.

Two parties answer an operation on the mount. The kernel comes first, with what it has in its
caches: a name that shows is EEXIST to whoever wants to create it, and a mode bit that is missing
is EACCES (not for root, who passes every mode bit). Then the daemon judges by the contract. The
order matters where the two would give different errnos.
"""

import dataclasses
from errno import EACCES, EDQUOT, EEXIST, EINVAL, ENOENT, ENOTEMPTY, EOPNOTSUPP, EPERM, EROFS

VIEW, DOWNLOAD, UPLOAD, RENAME, DELETE, MAKE_FOLDER = (1 << bit for bit in range(6))
PERMISSIONS = {"view": VIEW, "download": DOWNLOAD, "upload": UPLOAD, "rename": RENAME, "delete": DELETE,
               "make-folder": MAKE_FOLDER}
ALL = 63

FILE, FOLDER, SYMLINK = "file", "folder", "symlink"

# How the caller stands to an item. Only OWN makes a difference to what the caller may do: the
# others are there to show that they make none.
SETTLED = "settled"          # has been there for ever
OWN = "own"                  # the caller's pending upload
FOREIGN = "foreign"          # somebody else's pending upload
EXPIRED = "expired"          # the caller's, but the grace period is over
OWN_SETTLED = "own-settled"  # the caller's, and settled for good
ABSENT = "absent"

UNSPECIFIED = "unspecified"  # the contract does not say; the matrix leaves the cell out


def format_permissions(perms):
    return ",".join(name for name, bit in PERMISSIONS.items() if perms & bit) or "none"


@dataclasses.dataclass(frozen=True)
class Item:
    kind: str
    relation: str = SETTLED
    mode: int = 0o644
    empty: bool = True      # a folder
    holds_own: bool = False  # a folder that is not empty, but holds nothing besides the caller's own pending items


ROOT = Item(FOLDER, SETTLED, 0o777, empty=False)


@dataclasses.dataclass(frozen=True)
class ShareState:
    overwrite_upload: bool = False
    archived: bool = False
    full: bool = False  # over its quota


class Judge:
    """One person's standing in one share."""

    def __init__(self, perms, share=ShareState(), root=False):
        self.share = share
        self.root = root  # the process is root's, in this person's view
        self.perms = perms & (VIEW | DOWNLOAD) if share.archived else perms

    def has(self, wanted):
        return self.perms & wanted == wanted

    # ---- items ----

    def pending(self, item):
        """The caller's own upload, and still in the grace period. Lasts as long as the right to add it."""
        return item.relation == OWN and self.has(MAKE_FOLDER if item.kind == FOLDER else UPLOAD)

    def own(self, item):
        """
        Pending in the full sense: may be corrected and abandoned. Of a folder, only while there is
        nothing in it but what is the caller's own and pending.
        """
        return self.pending(item) and (item.kind != FOLDER or item.empty or item.holds_own and self.has(UPLOAD))

    def shows(self, item):
        if item is ROOT:
            return bool(self.perms & (VIEW | UPLOAD | MAKE_FOLDER))
        return item.relation != ABSENT and (self.has(VIEW) or self.pending(item))

    def may_write(self, item):
        """To write, truncate, chmod and so on: of what exists, overwriting."""
        if self.own(item):
            return True
        return self.has(UPLOAD) and (self.share.overwrite_upload or self.has(DELETE))

    def may_remove(self, item):
        return self.own(item) or self.has(DELETE)

    def bits(self, item):
        """
        The owner's rwx bits that the view shows. In an archived share w always shows, as on a
        filesystem that is mounted read-only: else the kernel would say EACCES before the daemon
        can say EROFS.
        """
        if item.kind == SYMLINK:
            return 7
        if item.kind == FOLDER:
            bits = 5 | (2 if self.perms & (UPLOAD | RENAME | DELETE | MAKE_FOLDER) else 0)
        else:
            bits = (5 if self.has(DOWNLOAD) else 0) | (2 if self.may_write(item) else 0)
        if self.share.archived:
            bits |= 2
        return bits & item.mode >> 6

    def kernel_refuses(self, item, bit):
        return not self.root and not self.bits(item) & bit

    # ---- operations on what exists ----

    def see(self, a, folder=ROOT):
        """stat, readlink, list xattrs, O_PATH, list a folder."""
        return 0 if self.shows(folder) and self.shows(a) else ENOENT

    def statfs(self, a, folder=ROOT):
        return 0 if self.see(a, folder) == 0 and self.has(VIEW) else ENOENT

    def access(self, a, folder=ROOT, bit=0):
        return self.see(a, folder) or (EACCES if bit and not self.bits(a) & bit else 0)

    def read(self, a, folder=ROOT):
        """open to read, execute, map, read a stored xattr, take a shared lock."""
        return self.see(a, folder) or (0 if self.has(DOWNLOAD) else EACCES)

    def execute(self, a, folder=ROOT):
        return self.read(a, folder) or (0 if self.bits(a) & 1 else EACCES)

    def _change(self, a, folder, by_bits):
        """by_bits: the kernel asks the item's w bit first."""
        if self.see(a, folder):
            return ENOENT
        if by_bits and self.kernel_refuses(a, 2):
            return EACCES
        if self.share.archived:
            return EROFS
        return 0 if self.may_write(a) else EACCES

    def write(self, a, folder=ROOT):
        """open to write, truncate, set or remove an xattr."""
        return self._change(a, folder, by_bits=True)

    def read_write(self, a, folder=ROOT):
        """O_RDWR, and O_TRUNC of a file opened to read."""
        if self.root and self.share.archived and self.read(a, folder) == EACCES:
            return UNSPECIFIED  # may not read, and nothing may be changed: EACCES or EROFS
        return self.read(a, folder) or self.write(a, folder)

    def allocate(self, a, folder=ROOT):
        """fallocate of every mode, on a handle opened for it."""
        return self.grow(a, folder)

    def grow(self, a, folder=ROOT):
        """A write past the end, on a handle opened for it."""
        return self.write(a, folder) or (EDQUOT if self.share.full else 0)

    def punch(self, a, folder=ROOT):
        return self.write(a, folder) or (UNSPECIFIED if self.share.full else 0)

    def retouch(self, a, folder=ROOT):
        """chmod, utimens: the owner may, says the kernel, and leaves it to the daemon."""
        return self._change(a, folder, by_bits=False)

    def chown_same(self, a, folder=ROOT):
        if self.see(a, folder):
            return ENOENT
        return 0 if self.has(VIEW) else UNSPECIFIED

    def chown_other(self, a, folder=ROOT):
        return self.see(a, folder) or EPERM

    def foreign_xattr(self, a, folder=ROOT):
        """ACLs and other namespaces than user."""
        return self.see(a, folder) or EOPNOTSUPP

    def lock_exclusive(self, a, folder=ROOT):
        """flock on a handle that only reads: the right to write; it changes nothing, so no EROFS."""
        return self.read(a, folder) or (0 if self.may_write(a) else EACCES)

    def lock_shared(self, a, folder=ROOT):
        """flock on a handle that only writes: the right to read."""
        return self.write(a, folder) or (0 if self.has(DOWNLOAD) else EACCES)

    def remove(self, a, folder=ROOT):
        if self.see(a, folder):
            return ENOENT
        if self.kernel_refuses(folder, 2):
            return EACCES
        if self.share.archived:
            return EROFS
        if not self.may_remove(a):
            return EACCES
        return ENOTEMPTY if a.kind == FOLDER and not a.empty else 0

    # ---- adding ----

    def _add(self, a, folder, right, refused=EACCES, grows=True):
        """A name that must be new."""
        if not self.shows(folder):
            return ENOENT
        if self.shows(a):
            return EEXIST
        if self.kernel_refuses(folder, 2):
            return EACCES
        if self.share.archived:
            return EROFS
        if not self.has(right):
            return refused
        if a.relation != ABSENT:
            return UNSPECIFIED if self.share.full else EEXIST
        return EDQUOT if grows and self.share.full else 0

    def create(self, a, folder=ROOT):
        """O_CREAT | O_EXCL, mknod of a regular file, symlink."""
        return self._add(a, folder, UPLOAD)

    def make_folder(self, a, folder=ROOT):
        return self._add(a, folder, MAKE_FOLDER)

    def create_or_open(self, a, folder=ROOT):
        """O_CREAT without O_EXCL, to write."""
        if self.shows(folder) and self.shows(a):
            return self.write(a, folder)
        result = self._add(a, folder, UPLOAD)
        return EACCES if result == EEXIST else result

    def special(self, a, folder=ROOT):
        """FIFO, socket, device: for nobody, in an archived share too."""
        result = self._add(a, folder, 0)
        return result if result in (ENOENT, EACCES) else EEXIST if self.shows(a) else EPERM

    def unnamed(self, a, folder=ROOT):
        """O_TMPFILE + linkat: the file is made before the name is looked at."""
        return self._add(Item(FILE, ABSENT), folder, UPLOAD) or self._add(a, folder, UPLOAD)

    def inside(self, a, folder, what, kind):
        """Something new in the folder a."""
        if self.see(a, folder):
            return ENOENT
        return getattr(self, what)(Item(kind, ABSENT), a)

    def link(self, a, b, folder=ROOT, to=ROOT):
        return self.see(a, folder) or self._add(b, to, UPLOAD | DELETE | DOWNLOAD, EPERM, grows=False)

    # ---- renaming: a to the name of b, which may exist ----

    def _may_leave(self, a, same_folder):
        """The source's side of a rename or a move."""
        if same_folder:
            return self.own(a) or self.has(RENAME)
        return self.may_remove(a)

    def _may_arrive(self, a, same_folder):
        return same_folder or self.has(MAKE_FOLDER | UPLOAD if a.kind == FOLDER else UPLOAD)

    def _may_replace(self, a, b):
        """The target's side when it exists."""
        if a.kind != FOLDER and self.own(a):  # a save
            return self.may_write(b)
        return self.own(b) or self.has(DELETE | UPLOAD)

    def _rename_preamble(self, a, folder, to):
        if self.see(a, folder) or not self.shows(to):
            return ENOENT
        return 0

    def _rename_bits(self, a, folder, to):
        moved_folder = a.kind == FOLDER and folder is not to
        if self.kernel_refuses(folder, 2) or self.kernel_refuses(to, 2) or moved_folder and self.kernel_refuses(a, 2):
            return EACCES
        return EROFS if self.share.archived else 0

    def rename(self, a, b, folder=ROOT, to=ROOT, same_folder=True):
        refused = self._rename_preamble(a, folder, to) or self._rename_bits(a, folder, to)
        if refused:
            return refused
        saves = a.kind != FOLDER and self.own(a) and b.relation != ABSENT
        if not self._may_arrive(a, same_folder) or not saves and not self._may_leave(a, same_folder):
            return EACCES
        if b.relation == ABSENT:
            return 0
        if not self.shows(b):
            return EACCES  # what is hidden cannot be opened to be overwritten, so it is not replaced either
        if b.kind == FOLDER and self.own(b) and not self.has(UPLOAD):
            return UNSPECIFIED  # Upload alone removes one's own file, Make Folder alone one's own folder
        if not self._may_replace(a, b):
            return EACCES
        return ENOTEMPTY if b.kind == FOLDER and not b.empty else 0

    def rename_noreplace(self, a, b, folder=ROOT, to=ROOT, same_folder=True):
        if self._rename_preamble(a, folder, to):
            return ENOENT
        if self.shows(b):
            return EEXIST
        if b.relation == ABSENT:
            return self.rename(a, b, folder, to, same_folder)
        # The name is taken by something hidden.
        return UNSPECIFIED if not self._rename_bits(a, folder, to) else self._rename_bits(a, folder, to)

    def exchange(self, a, b, folder=ROOT, to=ROOT, same_folder=True):
        if self._rename_preamble(a, folder, to) or not self.shows(b):
            return ENOENT
        return self._rename_bits(a, folder, to) or (0 if self.has(RENAME | UPLOAD | DELETE) else EACCES)

    def whiteout(self, a, b, folder=ROOT, to=ROOT, same_folder=True):
        if self.share.archived and self._rename_preamble(a, folder, to) == 0:
            return UNSPECIFIED  # EINVAL or EROFS
        return self._rename_preamble(a, folder, to) or self._rename_bits(a, folder, to) or EINVAL


def check_consistency():
    """What must hold of the model itself, whatever the contract's details: for every set of permissions."""
    items = [Item(kind, relation) for kind in (FILE, FOLDER, SYMLINK)
             for relation in (SETTLED, OWN, FOREIGN, EXPIRED, OWN_SETTLED, ABSENT)]
    for perms in range(64):
        judge, archived = Judge(perms), Judge(perms, ShareState(archived=True))
        for a in items:
            absent = dataclasses.replace(a, relation=ABSENT)
            if not judge.shows(a):  # hidden is absent, to every question about the item
                for question in ("see", "statfs", "read", "write", "read_write", "retouch", "chown_same", "chown_other",
                                 "foreign_xattr", "lock_exclusive", "lock_shared", "remove"):
                    assert getattr(judge, question)(a) == getattr(judge, question)(absent) == ENOENT
            if a.relation not in (OWN, ABSENT):  # relations that make no difference
                settled = dataclasses.replace(a, relation=SETTLED)
                assert judge.write(a) == judge.write(settled) and judge.remove(a) == judge.remove(settled)
            if judge.write(a) == 0 and a.relation != OWN:  # nothing shared is destroyed without Delete
                assert perms & DELETE
            if a.relation != OWN and judge.remove(a) == 0:
                assert perms & DELETE
            for b in items:
                if b.kind == a.kind and judge.rename(a, b) == 0 and b.relation not in (OWN, ABSENT):
                    assert perms & DELETE
            assert archived.write(a) and archived.remove(a) and archived.retouch(a)
            if judge.shows(a) and a.kind == FILE:  # access(2) tells the truth (archived shares apart)
                assert (judge.bits(a) & 2 != 0) == (judge.write(a) == 0)
                assert (judge.bits(a) & 4 != 0) == (judge.read(a) == 0)
        if judge.shows(ROOT):
            added = [Item(FILE, ABSENT), Item(FOLDER, ABSENT)]
            useful = judge.create(added[0]) == 0 or judge.make_folder(added[1]) == 0
            for relation in (SETTLED, OWN):
                a = Item(FILE, relation)
                useful |= judge.remove(a) == 0 or judge.rename(a, added[0]) == 0
            assert useful <= (judge.bits(ROOT) & 2 != 0)
    # What the presets are for.
    viewer, reader, contributor, dropbox = (Judge(each) for each in (VIEW, VIEW | DOWNLOAD, 1 | 2 | 4 | 32, 4 | 32))
    old, mine, none = Item(FILE), Item(FILE, OWN), Item(FILE, ABSENT)
    assert viewer.see(old) == 0 and viewer.read(old) == EACCES and reader.read(old) == 0
    assert reader.create(none) == EACCES and reader.rename(old, none) == EACCES
    assert contributor.create(none) == 0 and contributor.rename(mine, none) == 0 and contributor.write(old) == EACCES
    assert contributor.rename(mine, old) == EACCES and contributor.remove(mine) == 0
    assert dropbox.see(old) == ENOENT and dropbox.see(mine) == 0 and dropbox.read(mine) == EACCES
    assert dropbox.create(old) == EEXIST and dropbox.create_or_open(old) == EACCES


if __name__ == "__main__":
    check_consistency()
    print("ok: the model is consistent for all 64 sets")
