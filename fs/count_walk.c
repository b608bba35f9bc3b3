/*
 * The walk keeps a stack of folders still to be visited, each named by a path below a descriptor,
 * and no descriptor per level. A path may not be longer than PATH_MAX, but a tree may be deeper
 * than that; where paths would get too long, the folder itself becomes the descriptor that the
 * ones below it are named from.
 */
#include "fs/count_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/backing.h"

enum { PATH_LIMIT = 3000 }; /* with a name behind it still below PATH_MAX */

struct base {
    int fd;
    unsigned uses;
};

struct folder {
    struct base *base;
    struct folder *next;
    char path[]; /* below base; "" is base itself */
};

struct state {
    const struct gfs_count_walk *walk;
    struct folder *stack;
    size_t unread;
};

/* The folder being read. */
struct reading {
    const struct folder *folder;
    DIR *directory;
    struct base *own_base; /* once a path below would get too long */
};

static void put_base(struct base *base) {
    if (!base || --base->uses > 0)
        return;
    close(base->fd);
    free(base);
}

static struct base *new_base(int fd) {
    struct base *base = malloc(sizeof(*base));

    if (!base)
        return NULL;
    *base = (struct base){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .uses = 1};
    if (base->fd < 0) {
        free(base);
        return NULL;
    }
    return base;
}

static int push(struct state *state, struct base *base, const char *parent, const char *name) {
    size_t parent_length = strlen(parent), name_length = strlen(name);
    struct folder *folder = malloc(sizeof(*folder) + parent_length + name_length + 2);

    if (!folder)
        return -ENOMEM;
    char *end = folder->path;
    if (parent_length > 0) {
        end = mempcpy(end, parent, parent_length);
        *end++ = '/';
    }
    memcpy(end, name, name_length + 1);
    folder->base = base;
    folder->next = state->stack;
    base->uses++;
    state->stack = folder;
    return 0;
}

static struct folder *pop(struct state *state) {
    struct folder *folder = state->stack;

    if (folder)
        state->stack = folder->next;
    return folder;
}

static void free_folder(struct folder *folder) {
    put_base(folder->base);
    free(folder);
}

static int push_below(struct state *state, struct reading *reading, const char *name) {
    const struct folder *folder = reading->folder;

    if (!reading->own_base && strlen(folder->path) + strlen(name) < PATH_LIMIT)
        return push(state, folder->base, folder->path, name);
    if (!reading->own_base)
        reading->own_base = new_base(dirfd(reading->directory));
    return reading->own_base ? push(state, reading->own_base, "", name) : -ENOMEM;
}

static int look_at(struct state *state, struct reading *reading, const struct dirent *entry) {
    struct statx st;

    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return 0;
    if (entry->d_type == DT_DIR)
        return push_below(state, reading, entry->d_name);
    if (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)
        return 0;
    if (statx(dirfd(reading->directory), entry->d_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_INO | STATX_SIZE, &st) != 0)
        return 0; /* gone meanwhile */
    if (st.stx_attributes & st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
        return 0;
    if (S_ISDIR(st.stx_mode))
        return push_below(state, reading, entry->d_name);
    if (S_ISREG(st.stx_mode)) {
        const struct gfs_file_id file = {.device = makedev(st.stx_dev_major, st.stx_dev_minor), .inode = st.stx_ino};
        state->walk->found(state->walk->context, file, (int64_t)st.stx_size);
    }
    return 0;
}

static int read_entries(struct state *state, struct reading *reading) {
    int status = 0;

    while (status == 0) {
        if (atomic_load(state->walk->stop))
            return -EINTR;
        errno = 0;
        const struct dirent *entry = readdir(reading->directory);
        if (!entry) {
            state->unread += errno != 0;
            return 0;
        }
        status = look_at(state, reading, entry);
    }
    return status;
}

static bool is_skipped(const struct gfs_count_walk *walk, int fd) {
    struct stat st;

    if (walk->skip_count == 0 || fstat(fd, &st) != 0)
        return false;
    for (size_t i = 0; i < walk->skip_count; i++) {
        if (walk->skip[i].device == st.st_dev && walk->skip[i].inode == st.st_ino)
            return true;
    }
    return false;
}

/* Gone, replaced by something else, or a mount point (-ENOENT as well): nothing of this share. */
static bool is_no_loss(int error) {
    return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

static int visit(struct state *state, const struct folder *folder) {
    int fd = -1;
    int status = gfs_open_beneath(folder->base->fd, folder->path[0] ? folder->path : ".",
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &fd);

    if (status != 0) {
        state->unread += !is_no_loss(status);
        return 0;
    }
    if (is_skipped(state->walk, fd)) {
        close(fd);
        return 0;
    }
    struct reading reading = {.folder = folder, .directory = fdopendir(fd)};
    if (!reading.directory) {
        close(fd);
        return -ENOMEM;
    }
    status = read_entries(state, &reading);
    closedir(reading.directory);
    put_base(reading.own_base);
    return status;
}

int gfs_count_walk(const struct gfs_count_walk *walk, size_t *unread) {
    struct state state = {.walk = walk};
    struct base *root = new_base(walk->root_fd);
    struct folder *folder;

    int status = root ? push(&state, root, "", "") : -ENOMEM;
    while ((folder = pop(&state))) {
        if (status == 0)
            status = visit(&state, folder);
        free_folder(folder);
    }
    put_base(root);
    if (status == 0)
        *unread = state.unread;
    return status;
}
