/*
 * The two sides of escape.py: a race between a user of the mount and somebody who swaps folders of
 * the backing directory for symlinks.
 *
 *     escape attack BACKING              swaps until it is killed; writes the number of swaps to
 *                                        standard output now and then
 *     escape use FOLDER TRIES SEED       one random operation after another below FOLDER, as the
 *                                        user that runs it; prints "tries succeeded leaked"
 *
 * Every door in the backing directory is a folder whose twin is a symlink to the place outside; an
 * exchange swaps both in one step, so that there is always something to open, and no moment in
 * which a careless daemon would merely fail. The place outside holds the same names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, DOORS = 4 };

/* The same in escape.py. Door 3 is one level down; the last pair is a file and a symlink to a file. */
static const char *const doors[DOORS] = {"absolute", "relative", "middle/deep", "dotted"};
static const char file_pair[] = "file";
static const char outside_content[] = "OUTSIDE";

/* ---- the attacker ---- */

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

static void swap(const char *backing, const char *name, unsigned long *swaps) {
    char path[PATH_SIZE], twin[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", backing, name);
    snprintf(twin, sizeof(twin), "%s/%s.twin", backing, name);
    if (renameat2(AT_FDCWD, path, AT_FDCWD, twin, RENAME_EXCHANGE) == 0)
        ++*swaps;
}

static int attack(const char *backing) {
    unsigned long swaps = 0;
    const struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    while (!stopped) {
        for (int i = 0; i < DOORS; i++)
            swap(backing, doors[i], &swaps);
        swap(backing, file_pair, &swaps);
    }
    printf("%lu\n", swaps);
    return 0;
}

/* ---- the user ---- */

struct use {
    const char *folder;
    unsigned seed;
    char path[PATH_SIZE], other[PATH_SIZE]; /* two names behind the same door */
    bool leaked;                            /* something of the outside was seen */
};

static unsigned pick(struct use *use, unsigned below) {
    return (unsigned)rand_r(&use->seed) % below;
}

static void choose(struct use *use) {
    static const char *const names[] = {"secret", "victim", "sub", "sub/secret", "made-1", "made-2", "marker"};
    const char *door = doors[pick(use, DOORS)];
    snprintf(use->path, sizeof(use->path), "%s/%s/%s", use->folder, door, names[pick(use, 7)]);
    snprintf(use->other, sizeof(use->other), "%s/%s/%s", use->folder, door, names[pick(use, 7)]);
    if (pick(use, 8) == 0)
        snprintf(use->path, sizeof(use->path), "%s/%s", use->folder, file_pair);
}

static bool read_file(struct use *use) {
    char content[64];
    int fd = open(use->path, O_RDONLY);
    if (fd < 0)
        return false;
    ssize_t count = read(fd, content, sizeof(content));
    if (count >= (ssize_t)strlen(outside_content) && memcmp(content, outside_content, strlen(outside_content)) == 0)
        use->leaked = true;
    close(fd);
    return true;
}

static bool write_file(struct use *use, int flags) {
    int fd = open(use->path, O_WRONLY | flags, 0644);
    if (fd < 0)
        return false;
    if (write(fd, "inside", 6) < 0)
        perror("write");
    close(fd);
    return true;
}

static bool list(struct use *use) {
    char *slash = strrchr(use->path, '/');
    *slash = '\0';
    DIR *dir = opendir(use->path);
    if (!dir)
        return false;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, "only-outside") == 0)
            use->leaked = true;
    }
    closedir(dir);
    return true;
}

static bool look(struct use *use) {
    struct stat st;
    if (stat(use->path, &st) < 0)
        return false;
    if (st.st_size == 12345) /* the size that files outside have, and no file inside */
        use->leaked = true;
    return true;
}

static bool attributes(struct use *use) {
    char value[64];
    ssize_t size = getxattr(use->path, "user.outside", value, sizeof(value));
    if (size >= 0)
        use->leaked = true;
    return setxattr(use->path, "user.inside", "1", 1, 0) == 0;
}

static bool operate(struct use *use) {
    static const struct timespec times[2] = {{1, 0}, {1, 0}};
    choose(use);
    switch (pick(use, 16)) {
    case 0:
        return read_file(use);
    case 1:
        return write_file(use, O_CREAT);
    case 2:
        return write_file(use, O_CREAT | O_EXCL);
    case 3:
        return write_file(use, O_TRUNC);
    case 4:
        return mkdir(use->path, 0755) == 0;
    case 5:
        return rename(use->path, use->other) == 0;
    case 6:
        return unlink(use->path) == 0;
    case 7:
        return rmdir(use->path) == 0;
    case 8:
        return link(use->path, use->other) == 0;
    case 9:
        return symlink("elsewhere", use->path) == 0;
    case 10:
        return chmod(use->path, 0600) == 0;
    case 11:
        return truncate(use->path, 3) == 0;
    case 12:
        return utimensat(AT_FDCWD, use->path, times, 0) == 0;
    case 13:
        return list(use);
    case 14:
        return attributes(use);
    default:
        return look(use);
    }
}

static int use_doors(const char *folder, unsigned long tries, unsigned seed) {
    struct use use = {.folder = folder, .seed = seed};
    unsigned long succeeded = 0, leaked = 0;
    for (unsigned long i = 0; i < tries; i++) {
        use.leaked = false;
        succeeded += operate(&use);
        if (use.leaked) {
            leaked++;
            fprintf(stderr, "seen from outside: %s\n", use.path);
        }
    }
    printf("%lu %lu %lu\n", tries, succeeded, leaked);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "attack") == 0)
        return attack(argv[2]);
    if (argc == 5 && strcmp(argv[1], "use") == 0)
        return use_doors(argv[2], strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
    fprintf(stderr, "usage: %s attack BACKING | use FOLDER TRIES SEED\n", argv[0]);
    return 2;
}
