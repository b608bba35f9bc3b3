/*
 * The decision: pure arithmetic over facts. No I/O, no allocation, no globals; thread-safe.
 * A zeroed decision means denied.
 */
#ifndef GUILDFS_DECISION_H
#define GUILDFS_DECISION_H

#include <stddef.h>

#include "guildfs/op.h"

/* Everything that a decision depends on. Zeroed facts hold nothing and are denied everything. */
struct gfs_facts {
    gfs_perms effective; /* gfs_effective(): the union, cut by ceiling and account; not by archiving */
    bool archived;       /* the share's state */
    bool overwrite_upload;
    bool over_quota;
    bool share_root;  /* the object is the root folder of its share */
    bool folder;      /* the object is a folder */
    bool own_pending; /* the caller's own pending item; a folder only while nothing is in it but the
                         caller's own pending items (gfs_folder_is_own) */
    bool own_listed;  /* a folder of the caller's own that is pending, empty or not: it shows in a
                         drop box. own_pending implies own_listed. */
};

enum gfs_reason {
    GFS_REASON_NONE, /* the zero value: no decision was made, denied */
    GFS_REASON_ALLOWED,
    GFS_REASON_HIDDEN,   /* the caller does not see the object: ENOENT */
    GFS_REASON_MISSING,  /* sees it, lacks `missing` */
    GFS_REASON_NEVER,    /* nobody may do that */
    GFS_REASON_ARCHIVED, /* EROFS */
    GFS_REASON_QUOTA,    /* EDQUOT */
    GFS_REASON_TAKEN,    /* the name is there already: add.h, rename.h */
};

struct gfs_decision {
    bool allowed;
    enum gfs_reason reason;
    gfs_perms needed;  /* what the operation needed here */
    gfs_perms missing; /* needed and not held */
    int error;         /* positive errno when not allowed; 0 when allowed; EACCES when zeroed is
                          turned into an errno by gfs_decision_errno() */
};

/* Order: hidden, never, archived, missing, quota. */
struct gfs_decision gfs_decide(const struct gfs_facts *facts, enum gfs_op op) GFS_NONNULL(1);

/* 0 when allowed, else a negative errno; -EACCES for a zeroed decision. */
int gfs_decision_errno(const struct gfs_decision *decision) GFS_NONNULL(1);

/* Whether the object shows at all: what STAT would say. */
bool gfs_visible(const struct gfs_facts *facts) GFS_NONNULL(1);

/* Whether own_pending counts here: not in an archived share, and only with Upload (file) or Make
 * Folder (folder). */
bool gfs_own_pending(const struct gfs_facts *facts) GFS_NONNULL(1);

/*
 * The owner's rwx bits (0 to 7) that the contract grants on the object, before they are cut by
 * the stored mode. For a folder: r = may list, w = may add, rename or remove something in it,
 * x = may enter. For a file: r = may read, w = may write, x = may read (execution reads). In an
 * archived share w shows to whoever sees the object, so that the kernel lets the request through
 * and the answer is EROFS and not EACCES.
 */
unsigned gfs_access_bits(const struct gfs_facts *facts) GFS_NONNULL(1);

/* Who gave what: one source of a person's effective permissions. */
struct gfs_source {
    gfs_perms perms;
    const char *via; /* "group physics", "owner", "everyone", "ceiling curator" ...; borrowed */
};

/*
 * Writes the decision for a person, one line or several, '\n' between them, no newline at the
 * end: what was asked, allowed or denied and why, which permission is missing, which source gave
 * what. Returns the length that a large enough buffer would have needed, like snprintf(3).
 */
size_t gfs_decision_explain(const struct gfs_decision *decision, const struct gfs_facts *facts, enum gfs_op op,
                            const struct gfs_source *sources, size_t source_count, char *buffer, size_t size);

/*
 * Effective permissions: the union of all sources, cut by the ceiling (GFS_ALL_PERMS when there
 * is none), nothing when the account is suspended.
 */
gfs_perms gfs_effective(const struct gfs_source *sources, size_t count, gfs_perms ceiling, bool suspended);

#endif
