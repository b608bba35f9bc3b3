#include "fs/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/control.h"
#include "fs/remnants.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { COMPONENTS = 4 };

static void name_state(dev_t device, const char *suffix, char *path, size_t size) {
    snprintf(path, size, "%s/%u-%u.state%s", GFS_CONTROL_DIRECTORY, major(device), minor(device), suffix);
}

/* ---- the note ---- */

void gfs_crash_note(struct gfs_mount *mount, uint64_t settled) {
    char path[128], fresh[128];

    name_state(mount->device, "", path, sizeof path);
    name_state(mount->device, ".new", fresh, sizeof fresh);
    FILE *file = fopen(fresh, "we");
    if (!file)
        return; /* then nothing counts as settled */
    fprintf(file, "%llu %s\n", (unsigned long long)settled, mount->options.user ? mount->options.user : "");
    if (fclose(file) || rename(fresh, path))
        unlink(path);
}

void gfs_crash_forget(struct gfs_mount *mount) {
    char path[128];

    name_state(mount->device, "", path, sizeof path);
    unlink(path);
}

static void read_note(struct gfs_crash *crash) {
    char path[128];
    unsigned long long settled = 0;

    name_state(crash->device, "", path, sizeof path);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fscanf(file, "%llu %255s", &settled, crash->user) >= 1)
        crash->settled = settled;
    fclose(file);
    unlink(path);
}

void gfs_crash_look(dev_t device, struct gfs_crash *out) {
    struct gfs_crash crash = {.any = true, .device = device};

    read_note(&crash);
    int rc = gfs_sweep(device, NULL, 0, &crash.found);
    if (rc)
        gfs_log(GFS_LOG_WARNING, "holders-not-found", "errno=%d", -rc);
    if (out->any)
        gfs_sweep_end(&out->found); /* several dead mounts on top of each other: the last one counts */
    *out = crash;
}

/* ---- what somebody holds, and may hold ---- */

/* VIEW/PLACE/KIND/SHARE, or without the view; cut in place. */
static int split(char *path, char *parts[static COMPONENTS]) {
    int count = 0;

    while (count < COMPONENTS && path) {
        char *part = strsep(&path, "/");
        if (*part)
            parts[count++] = part;
    }
    return count;
}

static bool is_place(const struct gfs_place *place, char *const parts[static 3]) {
    const char *name = place->kind == GFS_PLACE_MY       ? "my"
                       : place->kind == GFS_PLACE_PUBLIC ? "public"
                                                         : place->group->name;
    return !strcmp(name, parts[0]) && !strcmp(gfs_kind_folder(place->share->kind), parts[1]) &&
           !strcmp(place->name, parts[2]);
}

static const struct gfs_share *find_place(const struct gfs_rights *rights, char *const parts[static 3]) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);

    for (size_t i = 0; i < count; i++)
        if (is_place(&places[i], parts))
            return places[i].share;
    return NULL;
}

/* A share of that kind and name, wherever: the user sees it no more. One that kills comes first. */
static const struct gfs_share *find_share(const struct gfs_snapshot *snapshot, char *const parts[static 3]) {
    const struct gfs_share *found = NULL;

    for (size_t i = 0; i < gfs_snapshot_share_count(snapshot); i++) {
        const struct gfs_share *share = gfs_snapshot_share_at(snapshot, i);
        if (!strcmp(share->name, parts[2]) && !strcmp(gfs_kind_folder(share->kind), parts[1]) &&
            (!found || share->on_revoke == GFS_REVOKE_KILL))
            found = share;
    }
    return found;
}

struct judged {
    bool allowed;
    const struct gfs_user *user; /* NULL: not known */
    const struct gfs_share *share;
};

/* What cannot be told counts as lost. */
static struct judged judge(struct gfs_mount *mount, const struct gfs_snapshot *snapshot, const struct gfs_crash *crash,
                           const struct gfs_sweep_found *found) {
    const char *top = mount->options.mountpoint;
    char path[4096], *parts[COMPONENTS] = {NULL};
    struct judged judged = {0};
    bool below = found->path && !strncmp(found->path, top, strlen(top));

    snprintf(path, sizeof path, "%s", below ? found->path + strlen(top) : "");
    int skip = *crash->user ? 0 : 1;
    if (split(path, parts) < 3 + skip)
        return judged;
    judged.user = gfs_snapshot_user_by_name(snapshot, *crash->user ? crash->user : parts[0]);
    const struct gfs_rights *rights = judged.user ? gfs_snapshot_rights(snapshot, judged.user->id, gfs_now_ns()) : NULL;
    judged.share = find_place(rights, parts + skip);
    gfs_perms held = judged.share ? gfs_rights_on(rights, judged.share->id) : 0;
    gfs_perms needed = found->writes ? GFS_DOWNLOAD | GFS_UPLOAD | GFS_DELETE : GFS_DOWNLOAD;
    judged.allowed = judged.share && gfs_perms_include(held, needed) && !(found->writes && judged.share->archived);
    if (!judged.share)
        judged.share = find_share(snapshot, parts + skip);
    return judged;
}

void gfs_crash_deal(struct gfs_mount *mount, struct gfs_crash *crash) {
    const struct gfs_snapshot *snapshot = crash->found.count ? gfs_authority_enter(mount->authority) : NULL;
    bool same = snapshot && crash->settled && crash->settled == gfs_snapshot_generation(snapshot);
    size_t left = 0;

    for (size_t i = 0; snapshot && !same && i < crash->found.count; i++) {
        const struct gfs_sweep_found *found = &crash->found.found[i];
        struct judged judged = judge(mount, snapshot, crash, found);
        if (judged.allowed)
            continue;
        left++;
        gfs_remnants_add_old(mount, crash->device, found, judged.user ? judged.user->id : 0,
                             judged.share ? judged.share->id : 0,
                             judged.share && judged.share->on_revoke == GFS_REVOKE_KILL);
    }
    if (crash->any)
        gfs_log(GFS_LOG_NOTICE, "crash-dealt-with", "held=%zu settled=%llu lost=%zu", crash->found.count,
                (unsigned long long)crash->settled, left);
    gfs_authority_leave(mount->authority, snapshot);
    gfs_sweep_end(&crash->found);
}
