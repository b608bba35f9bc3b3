#include "fs/sweep_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/mountinfo.h"

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5: a handle to compare, not to open by */
#endif

enum { FUSE_HANDLE_WORDS = 3, GROW_BY = 64 };

/* One thread of a process, and what is looked for. */
struct looking {
    pid_t process, thread;
    dev_t device;
    const uint64_t *nodes;
    size_t count;
    struct gfs_sweep_list *out;
};

void gfs_sweep_list_add(struct gfs_sweep_list *list, const struct gfs_sweep_found *found) {
    if (list->count % GROW_BY == 0) {
        struct gfs_sweep_found *larger = realloc(list->list, (list->count + GROW_BY) * sizeof *larger);
        if (!larger) {
            free(found->path);
            list->failed = true;
            return;
        }
        list->list = larger;
    }
    list->list[list->count++] = *found;
}

static bool is_wanted(const struct looking *looking, uint64_t node) {
    size_t low = 0, high = looking->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (looking->nodes[middle] == node)
            return true;
        if (looking->nodes[middle] < node)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* The node id of what a link in /proc leads to, if that is of a FUSE filesystem. */
static bool node_of(int folder, const char *name, uint64_t *node, int *mount) {
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } found = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    uint32_t words[FUSE_HANDLE_WORDS];

    if (name_to_handle_at(folder, name, &found.handle, mount, AT_SYMLINK_FOLLOW | AT_HANDLE_FID) ||
        found.handle.handle_bytes != sizeof words)
        return false;
    memcpy(words, found.handle.f_handle, sizeof words);
    *node = (uint64_t)words[0] << 32 | words[1]; /* fuse_encode_fh(): high, low, generation */
    return true;
}

/* Another filesystem may have a node of that id. A mount that nobody lists (it was detached) may be ours. */
static bool is_elsewhere(const struct looking *looking, int mount) {
    char theirs[64];
    struct gfs_mountinfo found;

    snprintf(theirs, sizeof theirs, "/proc/%d/mountinfo", looking->thread);
    return (!gfs_mountinfo_by_id("/proc/self/mountinfo", mount, &found) ||
            !gfs_mountinfo_by_id(theirs, mount, &found)) &&
           makedev(found.major, found.minor) != looking->device;
}

/* Answered from the kernel's memory, too; a file that was poisoned has no device, and needs nothing more. */
static bool is_on_device(const struct looking *looking, int folder, const char *name) {
    struct statx found;
    return !statx(folder, name, AT_STATX_DONT_SYNC, 0, &found) &&
           makedev(found.stx_dev_major, found.stx_dev_minor) == looking->device;
}

/* "flags:  0100002", octal. */
static bool is_open_to_write(const struct looking *looking, const char *descriptor) {
    char path[64], line[128];
    unsigned flags = 0;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%.10s", looking->thread, descriptor);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "flags: %o", &flags) != 1)
        ;
    if (file)
        fclose(file);
    return (flags & O_ACCMODE) != O_RDONLY;
}

static char *path_of(int folder, const char *name) {
    char path[PATH_MAX];
    ssize_t length = readlinkat(folder, name, path, sizeof path);
    return length > 0 && length < (ssize_t)sizeof path ? strndup(path, (size_t)length) : NULL;
}

/* Of any file, when it is on the device. */
static void look_at_any(const struct looking *looking, int folder, const char *name, bool mapping, bool writes) {
    struct gfs_sweep_found found = {.process = looking->process, .mapping = mapping, .writes = writes};
    int mount = -1;

    if (!node_of(folder, name, &found.node, &mount) || !is_on_device(looking, folder, name))
        return;
    found.path = path_of(folder, name);
    found.writes = mapping ? writes : is_open_to_write(looking, name);
    gfs_sweep_list_add(looking->out, &found);
}

static void look_at(const struct looking *looking, int folder, const char *name, bool mapping, bool writes) {
    struct gfs_sweep_found found = {.process = looking->process, .mapping = mapping};
    int mount = -1;

    if (!looking->nodes) {
        look_at_any(looking, folder, name, mapping, writes);
        return;
    }

    if (node_of(folder, name, &found.node, &mount) && is_wanted(looking, found.node) &&
        (mapping || !is_elsewhere(looking, mount)))
        gfs_sweep_list_add(looking->out, &found);
}

static void look_at_descriptors(const struct looking *looking) {
    char path[64];
    const struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/fd", looking->thread);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            look_at(looking, dirfd(folder), entry->d_name, false, false);
    closedir(folder);
}

/* 7fe338dbb000-7fe338dbd000 r--s 00000000 00:2e 2077848 /mnt/...; the names in map_files have no leading zeros. */
static void look_at_mappings(const struct looking *looking) {
    char path[64], device[32], name[64], *line = NULL;
    unsigned long long from, to;
    size_t size = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", looking->thread);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return;
    snprintf(path, sizeof path, "/proc/%d/map_files", looking->thread);
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(device, sizeof device, " %02x:%02x ", major(looking->device), minor(looking->device));
    while (folder >= 0 && getline(&line, &size, maps) > 0) {
        if (!strstr(line, device) || sscanf(line, "%llx-%llx", &from, &to) != 2)
            continue;
        snprintf(name, sizeof name, "%llx-%llx", from, to);
        look_at(looking, folder, name, true,
                strstr(line, " rw-s ") || strstr(line, " -w-s ") || strstr(line, " rwxs "));
    }
    free(line);
    fclose(maps);
    if (folder >= 0)
        close(folder);
}

/* When that cannot be told, they are taken for different. */
static bool share_descriptors(pid_t a, pid_t b) {
    return syscall(SYS_kcmp, a, b, KCMP_FILES, 0, 0) == 0;
}

/* The threads of a process have one address space, but each may have descriptors of its own, and the
 * first of them may have ended. /proc/TID is not listed, and there for every thread. */
void gfs_sweep_process(pid_t process, dev_t device, const uint64_t *nodes, size_t count, struct gfs_sweep_list *out) {
    struct looking looking = {.process = process, .device = device, .nodes = nodes, .count = count, .out = out};
    char path[64];
    const struct dirent *entry;
    pid_t before = 0;

    snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *folder = opendir(path);
    if (!folder)
        return;
    while ((entry = readdir(folder))) {
        looking.thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (looking.thread <= 0 || (before && share_descriptors(before, looking.thread)))
            continue;
        look_at_descriptors(&looking);
        look_at_mappings(&looking);
        before = looking.thread;
    }
    closedir(folder);
}
