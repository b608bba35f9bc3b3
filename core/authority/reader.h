/*
 * Readers: who is using which snapshot (hazard pointers).
 *
 * A thread that enters writes down the snapshot that it is about to use, and then looks whether
 * that is still the current one. Whoever replaced the current snapshot looks at what all threads
 * have written down before it frees the old one. Both sides write first and read second, in one
 * total order (seq_cst): either the reader sees that the snapshot was replaced and takes the new
 * one, or the other side sees that it is held. No reader waits, locks or allocates.
 *
 * What a thread writes down stands in a record of its own. Records are made at a thread's first
 * enter, are used again by later threads, and are never freed: there are as many as threads ever
 * ran at once. They belong to the process, not to an authority, because a pointer names its
 * snapshot whoever owns it.
 */
#ifndef GUILDFS_CORE_AUTHORITY_READER_H
#define GUILDFS_CORE_AUTHORITY_READER_H

#include <stdatomic.h>
#include <stdbool.h>

struct gfs_snapshot;

#define GFS_READER_NESTED 8 /* snapshots that one thread may hold at once */

/* The current one, held; NULL when the thread holds too many, or has no record and memory is out. */
const struct gfs_snapshot *gfs_reader_hold(_Atomic(struct gfs_snapshot *) *current);

/* Ends one hold of this thread. */
void gfs_reader_release(const struct gfs_snapshot *snapshot);

/* Whether any thread holds it. Meaningful once it is current no more. */
bool gfs_reader_holds(const struct gfs_snapshot *snapshot);

#endif
