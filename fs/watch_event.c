/*
 * What an event means. The kernel tells of a folder and a name in it, of the item itself, or of
 * both, by file handles; their inode number leads to what the views have of it. Nothing is opened.
 */
#include <string.h>
#include <unistd.h>

#include "fs/watched.h"

enum { NAMES = FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO, CONTENT = FAN_MODIFY | FAN_CLOSE_WRITE };

/* One record of an event, read from the buffer. */
struct record {
    uint8_t type;
    uint32_t fsid[2];
    uint32_t handle_size;
    int32_t handle_type;
    const uint8_t *handle;
    const char *name; /* "": none */
};

/* False: not a record of the kind that is understood. */
static bool read_record(const uint8_t *at, size_t size, struct record *out) {
    const size_t head = sizeof(struct fanotify_event_info_fid) + 2 * sizeof(uint32_t);
    struct fanotify_event_info_fid info;

    if (size < head)
        return false;
    memcpy(&info, at, sizeof info);
    out->type = info.hdr.info_type;
    memcpy(out->fsid, &info.fsid, sizeof out->fsid);
    memcpy(&out->handle_size, at + sizeof info, sizeof out->handle_size);
    memcpy(&out->handle_type, at + sizeof info + sizeof out->handle_size, sizeof out->handle_type);
    if (out->handle_size > size - head)
        return false;
    out->handle = at + head;
    const char *name = (const char *)out->handle + out->handle_size;
    size_t room = size - head - out->handle_size;
    out->name = out->type == FAN_EVENT_INFO_TYPE_DFID_NAME && room && memchr(name, '\0', room) ? name : "";
    return true;
}

/* Two filesystems may have one identifier (a snapshot of a volume): then it is said of both. */
static void tell(struct gfs_mount *mount, struct gfs_notices *notices, const struct record *record,
                 struct gfs_behind *behind) {
    struct gfs_watch *watch = mount->watch;
    size_t count = atomic_load(&watch->count);

    for (size_t i = 0; i < count && i < GFS_WATCHED_MAX; i++) {
        const struct gfs_watched *fs = &watch->filesystems[i];
        behind->device = fs->device;
        if (atomic_load(&fs->state) == GFS_WATCHED_ON && !memcmp(fs->fsid, record->fsid, sizeof fs->fsid) &&
            gfs_watched_inode(fs->type, record->handle_type, record->handle, record->handle_size, &behind->inode))
            gfs_notify_behind(mount, notices, behind);
    }
}

static void take_record(struct gfs_mount *mount, struct gfs_notices *notices, uint64_t mask,
                        const struct record *record) {
    bool in_folder = record->type == FAN_EVENT_INFO_TYPE_DFID_NAME && *record->name && strcmp(record->name, ".") != 0;

    if (!in_folder)
        tell(mount, notices, record, &(struct gfs_behind){.content = mask & CONTENT});
    else if (mask & NAMES) /* what is kept of a name that came can only be that it was absent */
        tell(mount, notices, record,
             &(struct gfs_behind){.name = record->name, .expires = (mask & NAMES) == FAN_CREATE});
    /* else the name says where the item was reached, which is not what changed */
}

static void take_event(struct gfs_mount *mount, struct gfs_notices *notices, const uint8_t *event,
                       const struct fanotify_event_metadata *head) {
    size_t at = head->metadata_len;

    while (at + sizeof(struct fanotify_event_info_header) <= head->event_len) {
        struct fanotify_event_info_header info;
        struct record record;
        memcpy(&info, event + at, sizeof info);
        if (info.len < sizeof info || info.len > head->event_len - at)
            break;
        if (read_record(event + at, info.len, &record))
            take_record(mount, notices, head->mask, &record);
        at += info.len;
    }
}

bool gfs_watch_take(struct gfs_mount *mount, const void *buffer, size_t size, struct gfs_notices *notices) {
    const uint8_t *at = buffer, *end = at + size;
    struct fanotify_event_metadata head;
    const pid_t self = getpid();
    bool lost = false;

    while ((size_t)(end - at) >= sizeof head) {
        memcpy(&head, at, sizeof head);
        if (head.event_len < sizeof head || head.event_len > (size_t)(end - at))
            break;
        lost = lost || (head.mask & FAN_Q_OVERFLOW) || head.vers != FANOTIFY_METADATA_VERSION;
        if (head.vers == FANOTIFY_METADATA_VERSION && !(head.mask & FAN_Q_OVERFLOW) && head.pid != self) {
            atomic_fetch_add_explicit(&mount->watch->event_count, 1, memory_order_relaxed);
            take_event(mount, notices, at, &head);
        }
        at += head.event_len;
    }
    return lost;
}
