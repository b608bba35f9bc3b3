#include "core/admin/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_directory_below(int folder_fd, const char *path, int flags) {
    const struct open_how how = {
        .flags = (unsigned)(flags | O_DIRECTORY | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

/* What the kernel said, in words that help. EINVAL and EPERM have another meaning to whoever reads
 * the error (wrong usage, denied), so they do not get through as such. */
static int refuse(int code, const char *node_path, const char *path, struct gfs_error *err) {
    int told = code == EINVAL || code == EPERM ? EIO : code;
    switch (code) {
    case ELOOP:
        return gfs_error_set(err, told, "%s/%s leads through a symlink; a share is a real directory", node_path, path);
    case EXDEV:
        return gfs_error_set(err, told, "%s/%s leads out of the node or across a mount point", node_path, path);
    case EEXIST:
        return gfs_error_set(err, told, "%s/%s exists already", node_path, path);
    default:
        return gfs_error_set(err, told, "cannot make the directory %s/%s: %s", node_path, path, strerror(code));
    }
}

/* Opens the directory that holds the last component of path, for fsync(2) too. */
static int open_parent(const char *node_path, const char *path, char *name) {
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    if (strlen(path) >= sizeof(parent) || strlen(last) > NAME_MAX || *last == '\0')
        return -ENAMETOOLONG;
    snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    int node_fd = open(node_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (node_fd < 0)
        return -errno;
    int fd = open_directory_below(node_fd, parent, O_RDONLY);
    close(node_fd);
    if (fd >= 0)
        strcpy(name, last);
    return fd;
}

static int make(int parent_fd, const char *name, bool existing_ok, bool *made) {
    if (mkdirat(parent_fd, name, 0700) == 0) {
        *made = true;
        return fsync(parent_fd) < 0 ? -errno : 0;
    }
    if (errno != EEXIST || !existing_ok)
        return -errno;
    int fd = open_directory_below(parent_fd, name, O_PATH);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int gfs_folder_make(const char *node_path, const char *path, bool existing_ok, struct gfs_folder *out,
                    struct gfs_error *err) {
    struct gfs_folder folder = {.parent_fd = -1};
    folder.parent_fd = open_parent(node_path, path, folder.name);
    if (folder.parent_fd < 0)
        return refuse(-folder.parent_fd, node_path, path, err);
    int rc = make(folder.parent_fd, folder.name, existing_ok, &folder.made);
    if (rc < 0) {
        gfs_folder_drop(&folder);
        return refuse(-rc, node_path, path, err);
    }
    *out = folder;
    return 0;
}

void gfs_folder_keep(struct gfs_folder *folder) {
    if (folder->parent_fd >= 0)
        close(folder->parent_fd);
    folder->parent_fd = -1;
}

void gfs_folder_drop(struct gfs_folder *folder) {
    /* AT_REMOVEDIR takes an empty directory only: nothing that somebody put there is lost. */
    if (folder->parent_fd >= 0 && folder->made)
        unlinkat(folder->parent_fd, folder->name, AT_REMOVEDIR);
    gfs_folder_keep(folder);
}
