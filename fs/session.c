#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/mountinfo.h"
#include "fs/serve.h"
#include "guildfs/log.h"

/* ---- libfuse's own messages ---- */

GFS_PRINTF(2, 0)
static void log_libfuse(enum fuse_log_level level, const char *format, va_list arguments) {
    char text[1024];
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (length <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    gfs_log(level <= FUSE_LOG_ERR       ? GFS_LOG_ERROR
            : level <= FUSE_LOG_WARNING ? GFS_LOG_WARNING
            : level <= FUSE_LOG_INFO    ? GFS_LOG_INFO
                                        : GFS_LOG_DEBUG,
            "libfuse", "text=%s", text);
}

/* ---- options for libfuse ---- */

/* In a list of libfuse's, a comma in a value is written "\,". */
static void put_escaped(FILE *stream, const char *value) {
    for (; *value; value++) {
        if (*value == ',' || *value == '\\')
            fputc('\\', stream);
        fputc(*value, stream);
    }
}

#ifdef FUSE_CAP_OVER_IO_URING
static bool kernel_allows_io_uring(void) {
    char answer = 'N';
    int fd = open("/sys/module/fuse/parameters/enable_uring", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool allowed = read(fd, &answer, 1) == 1 && (answer == 'Y' || answer == '1');
    close(fd);
    return allowed;
}
#endif

static bool use_io_uring(const struct gfs_daemon_options *options) {
    if (!options->io_uring)
        return false;
#ifdef FUSE_CAP_OVER_IO_URING
    if (kernel_allows_io_uring())
        return true;
    gfs_log(GFS_LOG_NOTICE, "io-uring-off", "reason=%s", "the kernel's fuse module has enable_uring off");
#else
    gfs_log(GFS_LOG_NOTICE, "io-uring-off", "reason=%s", "this libfuse does not have it");
#endif
    return false;
}

static char *list_options(const struct gfs_daemon_options *options, const char *store, bool io_uring) {
    char *list = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&list, &size);
    if (!stream)
        return NULL;
    fputs("default_permissions,allow_other,nosuid,nodev,subtype=guildfs,fsname=", stream);
    put_escaped(stream, store);
    if (options->mount.read_only)
        fputs(",ro", stream);
    if (options->no_exec)
        fputs(",noexec", stream);
    if (options->no_atime)
        fputs(",noatime", stream);
    if (options->mount.debug)
        fputs(",debug", stream);
    if (io_uring)
        fputs(",io_uring", stream);
    if (fclose(stream) != 0) {
        free(list);
        return NULL;
    }
    return list;
}

int gfs_session_new(struct gfs_mount *mount, const struct gfs_daemon_options *options, struct gfs_error *err) {
    mount->over_io_uring = use_io_uring(options);
    char program[] = "guildfsd", flag[] = "-o",
         *list = list_options(options, mount->options.store, mount->over_io_uring);
    char *argv[] = {program, flag, list, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    if (!list)
        return gfs_error_set(err, ENOMEM, "out of memory");
    fuse_set_log_func(log_libfuse);
    mount->session = fuse_session_new(&args, &gfs_dispatch, sizeof gfs_dispatch, mount);
    fuse_opt_free_args(&args);
    free(list);
    return mount->session ? 0 : gfs_error_set(err, EINVAL, "libfuse cannot make a session; the log says why");
}

/* ---- mounting ---- */

/* libfuse only logs why it cannot mount. What usually is the reason can be found out before. */
static int check_device(struct gfs_error *err) {
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        return gfs_error_set(err, errno,
                             "there is no /dev/fuse; load the module with modprobe fuse, or give the "
                             "container the device");
    return gfs_error_set(err, errno, "/dev/fuse cannot be opened: %s", strerror(errno));
}

int gfs_session_mount(struct gfs_mount *mount, dev_t *device, struct gfs_error *err) {
    const char *mountpoint = mount->options.mountpoint;
    struct gfs_mountinfo found;
    int rc = check_device(err);
    if (rc < 0)
        return rc;
    errno = 0;
    if (fuse_session_mount(mount->session, mountpoint) != 0) {
        int code = errno ? errno : EIO;
        return gfs_error_set(err, code, "cannot mount on %s: %s", mountpoint, strerror(code));
    }
    rc = gfs_mountinfo_find(mountpoint, &found);
    if (rc < 0) {
        fuse_session_unmount(mount->session);
        return gfs_error_set(err, -rc, "%s is mounted, but not in /proc/self/mountinfo: %s", mountpoint, strerror(-rc));
    }
    *device = makedev(found.major, found.minor);
    return 0;
}

/* The threads for io_uring are libfuse's, and only its own loop ends them. */
static int serve_by_libfuse(const struct gfs_mount *mount) {
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    fuse_loop_cfg_set_max_threads(config, mount->options.max_threads);
    fuse_loop_cfg_set_clone_fd(config, 0);
    int rc = fuse_session_loop_mt(mount->session, config);
    fuse_loop_cfg_destroy(config);
    return rc < 0 ? rc : 0;
}

int gfs_session_serve(struct gfs_mount *mount, struct gfs_error *err) {
    int rc = mount->over_io_uring ? serve_by_libfuse(mount) : gfs_serve(mount->session, mount->options.max_threads);
    return rc < 0 ? gfs_error_set(err, -rc, "serving ended: %s", strerror(-rc)) : 0;
}

void gfs_session_free(struct gfs_mount *mount) {
    if (mount->session)
        fuse_session_destroy(mount->session);
    mount->session = NULL;
}
