/*
 * What is open: files and folders, from OPEN to RELEASE. A mount that is ended by force gets no
 * RELEASE any more; what is then still open is closed from this list.
 */
#ifndef GUILDFS_FS_OPENED_H
#define GUILDFS_FS_OPENED_H

#include <stdbool.h>

#include "guildfs/compiler.h"

struct gfs_mount;
struct gfs_node;
struct gfs_opened_list;
struct gfs_view;

/* The first member of struct gfs_handle and struct gfs_folder_handle. */
struct gfs_opened {
    struct gfs_opened *previous, *next; /* under the list's lock */
    const struct gfs_node *node;
    struct gfs_view *view; /* NULL: the top, which is nobody's */
    bool folder;
};

int gfs_opened_list_new(struct gfs_opened_list **out) GFS_MUST_CHECK;
/* Closes everything. No request may be running; the tables that handles refer to are still there. */
void gfs_opened_list_free(struct gfs_mount *mount);

/* 0; -ENFILE when the view has half of the daemon's descriptors open: the rest is for others. */
int gfs_opened_admit(struct gfs_mount *mount, const struct gfs_view *view) GFS_MUST_CHECK;
void gfs_opened_add(struct gfs_mount *mount, struct gfs_opened *opened, const struct gfs_node *node, bool folder);
void gfs_opened_remove(struct gfs_mount *mount, struct gfs_opened *opened);

/* Calls visit with the node of everything that is open, with the list locked: take nothing else there. */
void gfs_opened_visit(struct gfs_mount *mount, void (*visit)(void *context, const struct gfs_node *node),
                      void *context);

#endif
