/*
 * Counting the sizes of a share's files while they change. No I/O, no lock: the caller keeps one
 * count to one thread at a time.
 *
 * The goal is the sum as it is when the count ends, though the walk takes minutes and meets each
 * file at some other moment. The rule that makes it exact: every file is counted with the size it
 * had when the count *began*, and every change since then is added. A walker cannot know that
 * size of a file that has changed meanwhile, so whoever changes a file says so before
 * (gfs_count_before), and the walk takes what was said then over what it finds itself.
 *
 *   changed before the walk came by:  said size, and the change added       = present size
 *   changed after:                    found size, and the change added      = present size
 *   new since the count began:        said size is 0, whether met or missed = present size
 *   removed before the walk came by:  it will be missed, so gfs_count_removed() adds what it had
 *                                     at the beginning, and subtracts what it had at the end = 0
 *   several links, or met twice because it was renamed: counted the first time only
 *
 * Left over is what no walk can see: a file that is renamed from a folder not yet visited to one
 * that has been is missed. So a count is taken again from time to time while a share is full.
 */
#ifndef GUILDFS_FS_COUNT_H
#define GUILDFS_FS_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "guildfs/compiler.h"

struct gfs_count;

/* A file: st_dev and st_ino. */
struct gfs_file_id {
    uint64_t device, inode;
};

int gfs_count_new(struct gfs_count **out) GFS_MUST_CHECK;
void gfs_count_free(struct gfs_count *count);

int64_t gfs_count_total(const struct gfs_count *count);
/* false when so many files were met that not all could be remembered: the rule above then holds
 * for those that were, and the total may be off by what changed in the others. */
bool gfs_count_exact(const struct gfs_count *count);

/* The walk found the file. */
void gfs_count_found(struct gfs_count *count, struct gfs_file_id file, int64_t size);

/* The file, of this size, is about to be changed; then, it has been. */
void gfs_count_before(struct gfs_count *count, struct gfs_file_id file, int64_t size);
void gfs_count_changed(struct gfs_count *count, int64_t size_before, int64_t size_after);
/* A change ended that had begun before the count. */
void gfs_count_settled(struct gfs_count *count, struct gfs_file_id file, int64_t size_after);

/* The file lost its last name. */
void gfs_count_removed(struct gfs_count *count, struct gfs_file_id file, int64_t size);
/* A file that had no name (O_TMPFILE) got one. */
void gfs_count_named(struct gfs_count *count, struct gfs_file_id file, int64_t size);

#endif
