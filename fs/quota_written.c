/*
 * Files that are open for writing in data mode fast. The kernel writes them without a message, so
 * what their share is charged with is behind their size, until somebody compares the two: when a
 * writer comes or goes, and at every change that does pass through here. Compared under the size
 * lock, so that however many writers there are, what the last one leaves is charged once.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/quota.h"
#include "fs/quota_usage.h"

struct gfs_written *gfs_written_find(struct gfs_quotas *quotas, struct gfs_file_id file) {
    struct gfs_written *written = quotas->written[gfs_size_lock_of(file)];

    while (written && (written->file.device != file.device || written->file.inode != file.inode))
        written = written->next;
    return written;
}

static struct gfs_file_id id_of(const struct gfs_backing *backing) {
    return (struct gfs_file_id){.device = backing->device, .inode = backing->inode};
}

/* The first writer's record says what the share is charged with: the size before anything is written. */
static void add_handle(struct gfs_quotas *quotas, struct gfs_written *fresh, int fd) {
    size_t at = gfs_size_lock_of(fresh->file);
    struct stat st;

    pthread_mutex_lock(&quotas->size_locks[at]);
    struct gfs_written *known = gfs_written_find(quotas, fresh->file);
    if (known) {
        known->handles++;
    } else {
        if (quotas->usages > 0 && fstat(fd, &st) == 0)
            fresh->charged = st.st_size;
        fresh->next = quotas->written[at];
        quotas->written[at] = fresh;
        atomic_fetch_add(&quotas->written_files, 1);
    }
    pthread_mutex_unlock(&quotas->size_locks[at]);
    if (known)
        free(fresh);
}

static void remove_handle(struct gfs_quotas *quotas, struct gfs_file_id file) {
    size_t at = gfs_size_lock_of(file);
    struct gfs_written *last = NULL;

    pthread_mutex_lock(&quotas->size_locks[at]);
    struct gfs_written *written = gfs_written_find(quotas, file);
    if (written && --written->handles == 0) {
        struct gfs_written **link = &quotas->written[at];
        while (*link != written)
            link = &(*link)->next;
        *link = written->next;
        atomic_fetch_sub(&quotas->written_files, 1);
        last = written;
    }
    pthread_mutex_unlock(&quotas->size_locks[at]);
    free(last);
}

int gfs_quota_opened(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd,
                     const struct stat *st) {
    struct gfs_written *fresh = malloc(sizeof *fresh);

    if (!fresh)
        return -ENOMEM;
    *fresh = (struct gfs_written){
        .file = id_of(backing), .share = share, .handles = 1, .nameless = st->st_nlink == 0, .charged = st->st_size};
    add_handle(mount->quotas, fresh, fd);
    gfs_quota_compare(mount, share, backing, fd);
    return 0;
}

void gfs_quota_closed(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd) {
    gfs_quota_compare(mount, share, backing, fd);
    remove_handle(mount->quotas, id_of(backing));
}

void gfs_written_tell(struct gfs_quotas *quotas, gfs_id share) {
    for (size_t i = 0; i < GFS_SIZE_LOCKS; i++) {
        pthread_mutex_lock(&quotas->size_locks[i]);
        for (const struct gfs_written *written = quotas->written[i]; written; written = written->next) {
            if (written->share != share || written->nameless)
                continue;
            pthread_mutex_lock(&quotas->lock);
            gfs_count_before(quotas->count, written->file, written->charged);
            pthread_mutex_unlock(&quotas->lock);
        }
        pthread_mutex_unlock(&quotas->size_locks[i]);
    }
}
