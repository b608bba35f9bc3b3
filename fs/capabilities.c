#include "fs/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct gfs_capability gfs_capabilities_kept[] = {
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
     "mounting, unmounting, the trusted.* attributes of the backing files, passthrough"},
    {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "changing backing files and folders, whoever owns them"},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "opening backing files by handle, linking an open file"},
    {CAP_FOWNER, "CAP_FOWNER", "mode and times of backing files, whoever owns them"},
    {CAP_CHOWN, "CAP_CHOWN", "giving a file that replaces another the owner of that one"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "looking for processes that hold files which were taken away"},
    {CAP_KILL, "CAP_KILL", "ending these, where a share says so"},
    {0, NULL, NULL},
};

/* The kernel takes the 64 bits of a set as two words. */
struct sets {
    struct __user_cap_data_struct word[_LINUX_CAPABILITY_U32S_3];
};

static struct __user_cap_header_struct this_thread(void) {
    return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
}

static uint64_t kept_mask(void) {
    uint64_t mask = 0;
    for (const struct gfs_capability *kept = gfs_capabilities_kept; kept->name; kept++)
        mask |= UINT64_C(1) << kept->number;
    return mask;
}

/* Until the kernel knows no further capability. */
static int cut_bounding_set(uint64_t kept) {
    for (int number = 0; number < 64; number++) {
        int present = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
        if (present < 0)
            return errno == EINVAL ? 0 : -errno;
        if (present && !(kept >> number & 1) && prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
            return -errno;
    }
    return 0;
}

static int cut_sets(uint64_t kept, bool *may_mount) {
    struct __user_cap_header_struct header = this_thread();
    struct sets sets;
    if (syscall(SYS_capget, &header, sets.word) < 0)
        return -errno;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets.word[i].permitted &= (uint32_t)(kept >> (32 * i));
        sets.word[i].effective = sets.word[i].permitted;
        sets.word[i].inheritable = 0;
    }
    *may_mount = sets.word[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
    header = this_thread();
    return syscall(SYS_capset, &header, sets.word) < 0 ? -errno : 0;
}

int gfs_capabilities_drop(struct gfs_error *err) {
    uint64_t kept = kept_mask();
    bool may_mount = false;
    /* The bounding set first: cutting it needs CAP_SETPCAP, which is not kept. */
    int rc = cut_bounding_set(kept);
    if (rc == 0)
        rc = cut_sets(kept, &may_mount);
    if (rc == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        rc = -errno;
    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        rc = -errno;
    if (rc < 0)
        return gfs_error_set(err, -rc, "cannot give up privileges: %s", strerror(-rc));
    if (!may_mount)
        return gfs_error_set(err, EPERM, "CAP_SYS_ADMIN is missing, which mounting needs");
    return 0;
}
