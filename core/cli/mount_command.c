/* guildfs mount, guildfs umount. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/cli/commands.h"
#include "core/cli/mounts.h"
#include "core/cli/output.h"

/* Where the daemon stands: beside this program, or where the build would install it. */
static const char *find_daemon(char *path, size_t size) {
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        int used = slash ? snprintf(path, size, "%.*s/guildfsd", (int)(slash - self), self) : -1;
        if (used > 0 && (size_t)used < size && access(path, X_OK) == 0)
            return path;
    }
    static const char *const directories[] = {GUILDFS_SBINDIR, GUILDFS_LIBEXECDIR};
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        snprintf(path, size, "%s/guildfsd", directories[i]);
        if (access(path, X_OK) == 0)
            return path;
    }
    return "guildfsd"; /* execvp looks through PATH */
}

enum gfs_exit cli_mount(struct cli_call *call) {
    struct gfs_error err;
    char path[PATH_MAX + 16];
    const char *daemon = find_daemon(path, sizeof(path)), *options = cli_option(call, "o");
    char *arguments[8];
    size_t count = 0;
    char name[] = "guildfsd", dash_f[] = "-f", dash_o[] = "-o", words_end[] = "--";
    arguments[count++] = name;
    if (cli_option(call, "f"))
        arguments[count++] = dash_f;
    char options_copy[4096];
    if (options) {
        if (strlen(options) >= sizeof(options_copy))
            return cli_usage_error(call, "the mount options are too long");
        strcpy(options_copy, options);
        arguments[count++] = dash_o;
        arguments[count++] = options_copy;
    }
    arguments[count++] = words_end; /* a directory may begin with '-' */
    arguments[count++] = call->arguments[0];
    arguments[count++] = call->arguments[1];
    arguments[count] = NULL;
    signal(SIGPIPE, SIG_DFL); /* what is ignored stays so across execve(2) */
    execvp(daemon, arguments);
    gfs_error_set(&err, errno, "cannot start the daemon %s: %s; is guildfsd installed?", daemon, strerror(errno));
    return cli_fail(call, &err);
}

#define CONNECTIONS "/sys/fs/fuse/connections"

static int mount_fusectl(void) {
    return mount("fusectl", CONNECTIONS, "fusectl", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : -errno;
}

/*
 * Ends a connection from the kernel's side: whoever waits for its daemon gets an error, and the daemon ends. A
 * mount(2) flag would do the same, but only once the mountpoint has been reached, and that may hang as well.
 */
static int abort_connection(const struct cli_mount *mount, struct gfs_error *err) {
    char path[128];
    const char *colon = strchr(mount->device, ':'); /* a connection has the number of its device */
    snprintf(path, sizeof(path), CONNECTIONS "/%s/abort", colon ? colon + 1 : "?");
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && mount_fusectl() == 0)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return gfs_error_set(err, errno == EPERM ? EACCES : errno, "cannot end the connection of %s (%s): %s",
                             mount->mountpoint, path, strerror(errno));
    ssize_t written = write(fd, "1", 1);
    int code = written == 1 ? 0 : errno;
    close(fd);
    return code == 0
               ? 0
               : gfs_error_set(err, code, "cannot end the connection of %s: %s", mount->mountpoint, strerror(code));
}

static int unmount(const char *mountpoint, bool lazy, struct gfs_error *err) {
    if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
        return 0;
    int code = errno;
    switch (code) {
    case EBUSY:
        return gfs_error_set(err, code, "%s is in use; end the programs that work in it, or detach it with --lazy",
                             mountpoint);
    case EPERM:
        return gfs_error_set(err, EACCES, "only root may unmount %s", mountpoint);
    default:
        return gfs_error_set(err, code, "cannot unmount %s: %s", mountpoint, strerror(code));
    }
}

enum gfs_exit cli_umount(struct cli_call *call) {
    struct gfs_error err;
    struct cli_mount mount;
    bool force = cli_option(call, "force") != NULL, lazy = cli_option(call, "lazy") != NULL;
    int rc = cli_mounts_find(call->arguments[0], &mount, &err);
    if (rc == 0 && force)
        rc = abort_connection(&mount, &err);
    if (rc == 0)
        rc = unmount(mount.mountpoint, force || lazy, &err);
    /* The daemon may have been quicker, once its connection was ended. */
    if (rc < 0 && !(force && rc == -EINVAL))
        return cli_fail(call, &err);
    return cli_print_done(call, json_pack("{s:o}", "unmounted", cli_json_text(mount.mountpoint)));
}
