#include "core/cli/object.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/cli/usage.h"
#include "guildfs/item.h"

static int open_share(const struct gfs_share *share, int *fd, struct gfs_error *err) {
    int rc = gfs_open_share(share->node_path, share->path, fd);
    if (rc < 0)
        return gfs_error_set(err, EIO, "the directory of the share \"%s\" (%s/%s) cannot be opened: %s", share->name,
                             share->node_path, share->path, strerror(-rc));
    return 0;
}

/* Whether an upload of the user to the item's share is still pending, whatever the user holds. */
static bool is_own_pending(const struct cli_viewpoint *viewpoint, const struct gfs_share *share, int64_t floor_ns,
                           int fd) {
    struct gfs_upload upload;
    return gfs_upload_read(fd, &upload) == 0 &&
           gfs_upload_pending_until(&upload, viewpoint->user->uuid, share->grace_ns, floor_ns, false) >
               viewpoint->now_ns;
}

static struct gfs_facts share_facts(const struct cli_viewpoint *viewpoint, const struct gfs_share *share) {
    return (struct gfs_facts){
        .effective = gfs_rights_on(viewpoint->rights, share->id),
        .archived = share->archived,
        .overwrite_upload = share->overwrite_upload,
    };
}

/* Completes the facts of what fd stands for. */
static int look_at(const struct cli_viewpoint *viewpoint, const struct gfs_share *share, int64_t floor_ns, int fd,
                   bool root, struct gfs_facts *facts) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    facts->share_root = root;
    facts->folder = S_ISDIR(st.st_mode);
    if (root || !is_own_pending(viewpoint, share, floor_ns, fd))
        return 0;
    facts->own_listed = facts->folder;
    facts->own_pending =
        !facts->folder || gfs_folder_is_own(fd, viewpoint->user->uuid, share->grace_ns, floor_ns, viewpoint->now_ns);
    return 0;
}

/* Goes one component down. *fd becomes the child's; 0, or a negative errno with *fd as it was. */
static int step(int *fd, const char *name) {
    int child;
    int rc = gfs_open_child(*fd, name, &child);
    if (rc < 0)
        return rc;
    close(*fd);
    *fd = child;
    return 0;
}

/* Absent, from the caller's side: not there, below something that is no folder, or on another
 * filesystem, which is not part of the share. */
static bool absent(int rc) {
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ENAMETOOLONG;
}

static int walk(const struct cli_viewpoint *viewpoint, const struct cli_location *location, int *fd,
                struct cli_object *object) {
    char path[PATH_MAX];
    strcpy(path, location->path);
    char *rest = path, *name;
    int64_t lost_ns = gfs_floor_read(*fd, viewpoint->user->uuid), back_ns = location->share->unarchived_ns;
    int64_t floor_ns = lost_ns > back_ns ? lost_ns : back_ns;
    int rc = look_at(viewpoint, location->share, floor_ns, *fd, true, &object->facts);
    while (rc == 0 && (name = strsep(&rest, "/")) && *name) {
        object->reachable = object->reachable && object->facts.folder && gfs_visible(&object->facts);
        object->facts = share_facts(viewpoint, location->share);
        rc = step(fd, name);
        if (rc == 0)
            rc = look_at(viewpoint, location->share, floor_ns, *fd, false, &object->facts);
        else if (absent(rc) && rest)
            object->reachable = false; /* the folder itself is missing */
    }
    if (rc == 0)
        object->exists = true;
    return absent(rc) ? 0 : rc;
}

int cli_object_look(const struct cli_viewpoint *viewpoint, const struct cli_location *location, bool count_quota,
                    struct cli_object *out, struct gfs_error *err) {
    const struct gfs_share *share = location->share;
    struct cli_object object = {.reachable = true, .facts = share_facts(viewpoint, share)};
    int fd;
    int rc = open_share(share, &fd, err);
    if (rc < 0)
        return rc;
    bool over = false;
    if (count_quota && share->quota_bytes > 0) {
        int64_t used = 0;
        rc = cli_usage_count(viewpoint->snapshot, share, fd, &used);
        over = used >= share->quota_bytes;
    }
    rc = rc < 0 ? rc : walk(viewpoint, location, &fd, &object);
    close(fd);
    if (rc < 0)
        return gfs_error_set(err, EIO, "cannot look at \"%s\" in the share \"%s\": %s", location->path, share->name,
                             strerror(-rc));
    object.facts.over_quota = over;
    *out = object;
    return 0;
}
