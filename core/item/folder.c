/* Whether a folder holds anything but its maker's own pending items. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "guildfs/item.h"

struct search {
    const char *user_uuid;
    int64_t grace_ns, floor_ns, now_ns;
    unsigned items; /* met so far */
};

enum { DEPTH_MAX = 64 };

static bool holds_own(struct search *search, int folder_fd, unsigned depth);

static bool is_dot(const char *name) {
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static bool is_own(struct search *search, int fd, unsigned depth) {
    struct gfs_upload upload;
    struct stat st;

    if (gfs_upload_read(fd, &upload) || fstatat(fd, "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return false;
    return gfs_upload_pending_until(&upload, search->user_uuid, search->grace_ns, search->floor_ns, false) >
               search->now_ns &&
           (!S_ISDIR(st.st_mode) || holds_own(search, fd, depth + 1));
}

static bool child_is_own(struct search *search, int folder_fd, const char *name, unsigned depth) {
    int fd;

    if (is_dot(name))
        return true;
    if (++search->items > GFS_OWN_FOLDER_MAX || gfs_open_child(folder_fd, name, &fd))
        return false;
    bool own = is_own(search, fd, depth);
    close(fd);
    return own;
}

static bool holds_own(struct search *search, int folder_fd, unsigned depth) {
    int fd = depth < DEPTH_MAX ? openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    bool own = true;

    if (!folder) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    errno = 0;
    while (own && (entry = readdir(folder))) {
        own = child_is_own(search, folder_fd, entry->d_name, depth);
        errno = 0;
    }
    own = own && errno == 0;
    closedir(folder);
    return own;
}

bool gfs_folder_is_own(int folder_fd, const char *user_uuid, int64_t grace_ns, int64_t floor_ns, int64_t now_ns) {
    struct search search = {.user_uuid = user_uuid, .grace_ns = grace_ns, .floor_ns = floor_ns, .now_ns = now_ns};

    return holds_own(&search, folder_fd, 0);
}
