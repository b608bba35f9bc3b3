/*
 * Coherence between views. What one view changes, the kernel must forget in the others, before
 * the change is answered, so that the next call there sees it.
 *
 * Attributes are forgotten by a call from the handler itself; that takes no lock that a request
 * could hold. Names and pages do: forgetting a name takes the folder's lock in the kernel, and two
 * views that change the same folder would wait for each other for ever if their handlers did it.
 * So names and pages go to the notifier's threads, and the handler waits for them with a
 * deadline. Of requests that would wait for each other's views the last one gives way: it has the
 * kernel look up all names again, which takes no lock but costs every view (notify.c). In a folder
 * where that happens, which is hot (node.h), names are not cached at all for a while, and there is
 * nothing to forget.
 *
 * Whoever can make a program of one view hang in a folder (in a page fault while it lists it, for
 * one) holds the folder's lock in the kernel for as long as they like, and with it a thread that
 * tells that view something. So a view is told one notice of names and one of pages at a time;
 * when all threads are busy another is started; and nobody waits for a view that is held up.
 */
#ifndef GUILDFS_FS_NOTIFY_H
#define GUILDFS_FS_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

#include "fs/node.h"

struct gfs_notifier;

int gfs_notifier_new(struct gfs_notifier **out) GFS_MUST_CHECK;
int gfs_notifier_start(struct gfs_mount *mount) GFS_MUST_CHECK;
void gfs_notifier_stop(struct gfs_mount *mount);
void gfs_notifier_free(struct gfs_notifier *notifier);

/* The attributes of the file of st changed: views that show it by another node ask again. */
void gfs_notify_attributes(struct gfs_mount *mount, const struct stat *st, const struct gfs_node *except);

/* A name in the folder came, went, or stands for something else. second may be NULL. */
void gfs_notify_names(struct gfs_mount *mount, struct gfs_node *folder, const char *name, const char *second);

/* Content changed from offset on, length bytes; 0: to the end. except: the node whose pages have it
 * already; NULL when the change bypassed them. */
void gfs_notify_content(struct gfs_mount *mount, const struct gfs_backing *backing, const struct gfs_node *except,
                        off_t offset, off_t length);

/*
 * All names that any view has cached, in whatever folder, are to be looked up again; what lies below
 * them stays when the same is found. So are those whose lookup has begun. Takes no lock in the kernel.
 * False: it cannot, before Linux 6.16 and libfuse 3.18, and the timeouts remain.
 */
bool gfs_notify_all_names(struct gfs_mount *mount);

/* ---- changes behind the mount; called by the watch, not by requests ---- */

struct gfs_notices;

/* An inode of a filesystem, and what happened to it. */
struct gfs_behind {
    uint64_t device, inode;
    const char *name; /* a folder: the name in it that came, went or stands for something else; NULL */
    bool expires;     /* the name: it is enough that it is asked for again */
    bool content;     /* pages are to be dropped as well */
};
/* Attributes are forgotten in all views, and the name and pages by the notifier. */
void gfs_notify_behind(struct gfs_mount *mount, struct gfs_notices *notices, const struct gfs_behind *behind);

/* ---- when rights change; called by the refresher, not by requests ---- */

/* Forget pages and attributes of a node; it may have gone meanwhile. */
void gfs_notify_forget_node(struct gfs_mount *mount, uint64_t id);
/*
 * Look names up again before they are used; `below`: and forget everything that is cached below them,
 * because it has other nodes now. Between begin (NULL when memory is out, which is allowed below) and
 * end, which waits until all is done or a deadline has passed.
 */
struct gfs_notices *gfs_notices_begin(void);
void gfs_notify_forget_name(struct gfs_mount *mount, struct gfs_notices *notices, const struct gfs_node *folder,
                            const char *name, bool below);
void gfs_notices_end(struct gfs_mount *mount, struct gfs_notices *notices);

#endif
