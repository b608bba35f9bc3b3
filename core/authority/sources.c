/* The sources of a user's permissions on a share, in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/authority/snapshot.h"

struct listing {
    const struct gfs_policy *policy;
    uint32_t user, share;
    struct gfs_source *sources;
    size_t size, count;
    char *text; /* what is left of the caller's buffer */
    size_t text_size;
    gfs_perms all; /* the union so far */
};

/* One source; its words are cut when the buffer is too small. */
static void add(struct listing *listing, gfs_perms perms, const char *format, ...) GFS_PRINTF(3, 4);

static void add(struct listing *listing, gfs_perms perms, const char *format, ...) {
    listing->all |= perms;
    if (listing->count++ >= listing->size)
        return;
    struct gfs_source *source = &listing->sources[listing->count - 1];
    *source = (struct gfs_source){.perms = perms, .via = ""};
    if (listing->text_size == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(listing->text, listing->text_size, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    source->via = listing->text;
    size_t used = (size_t)length + 1 < listing->text_size ? (size_t)length + 1 : listing->text_size;
    listing->text += used;
    listing->text_size -= used;
}

/* " on share X" or " on project X", when the authorization was not given on the share itself. */
static void object_words(const struct listing *listing, uint32_t object, char *words, size_t size) {
    const struct gfs_policy *policy = listing->policy;
    words[0] = '\0';
    if (object == GFS_NONE || object == gfs_object(GFS_OBJECT_SHARE, listing->share))
        return;
    if (gfs_object_is_project(object))
        snprintf(words, size, " on project %s", gfs_policy_project(policy, object >> 1)->name);
    else
        snprintf(words, size, " on share %s", gfs_policy_share(policy, object >> 1)->name);
}

static void add_giver(struct listing *listing, const struct gfs_reach *reach) {
    const struct gfs_policy *policy = listing->policy;
    char on[300];
    object_words(listing, reach->object, on, sizeof on);
    switch (reach->giver) {
    case GFS_GIVER_OWNER:
        add(listing, reach->perms, "owner");
        return;
    case GFS_GIVER_USER:
        add(listing, reach->perms, "user %s%s", gfs_policy_user(policy, listing->user)->name, on);
        return;
    case GFS_GIVER_GROUP:
        add(listing, reach->perms, "group %s%s", gfs_policy_group(policy, reach->who)->name, on);
        return;
    case GFS_GIVER_TEAM:
        add(listing, reach->perms, "team %s%s", gfs_policy_team(policy, reach->who)->name, on);
        return;
    case GFS_GIVER_ORGANIZATION:
        add(listing, reach->perms, "organization %s%s", gfs_policy_organization(policy, reach->who)->name, on);
        return;
    case GFS_GIVER_EVERYONE:
        add(listing, reach->perms, "everyone%s", on);
        return;
    case GFS_GIVER_GROUP_ADMIN:
        add(listing, reach->perms, "admin of group %s", gfs_policy_group(policy, reach->who)->name);
        return;
    case GFS_GIVER_ORGANIZATION_ADMIN:
        add(listing, reach->perms, "admin of organization %s", gfs_policy_organization(policy, reach->who)->name);
        return;
    }
}

static int list_reach(void *context, const struct gfs_reach *reach) {
    struct listing *listing = context;
    for (size_t i = 0; i < reach->count; i++) {
        if (reach->shares[i] == listing->share) {
            add_giver(listing, reach);
            return 0;
        }
    }
    return 0;
}

/* What the user may hold at most on the share: everything for a member of the ceiling's group. */
static gfs_perms find_ceiling(const struct listing *listing, int64_t now_ns, uint32_t *group) {
    const struct gfs_policy *policy = listing->policy;
    uint32_t number = gfs_policy_ceiling_of(policy, listing->share);
    if (number == GFS_NONE)
        return GFS_ALL_PERMS;
    const struct gfs_ceiling *ceiling = gfs_policy_ceiling(policy, number);
    *group = ceiling->group;
    struct gfs_cell memberships = gfs_vector_at(&policy->memberships, listing->user);
    for (uint32_t i = 0; i < memberships.count; i++) {
        const struct gfs_membership *membership = (const struct gfs_membership *)memberships.rows + i;
        if (membership->group == ceiling->group && membership->expires_ns > now_ns)
            return GFS_ALL_PERMS;
    }
    return ceiling->perms;
}

/* A line for what takes away: it gives nothing, but without it nobody would understand the sum. */
static void add_ceiling(struct listing *listing, gfs_perms ceiling, uint32_t group) {
    char most[GFS_PERMS_TEXT_SIZE];
    if (gfs_perms_include(ceiling, listing->all))
        return;
    gfs_perms_format(ceiling, most);
    add(listing, 0, "ceiling %s (others: %s at most)",
        group == GFS_NONE ? "of a group that is gone" : gfs_policy_group(listing->policy, group)->name, most);
}

size_t gfs_snapshot_sources(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share, int64_t now_ns,
                            struct gfs_source *sources, size_t size, char *text, size_t text_size, gfs_perms *ceiling,
                            bool *suspended) {
    const struct gfs_policy *policy = snapshot->policy;
    struct listing listing = {.policy = policy,
                              .user = gfs_policy_find_user(policy, user),
                              .share = gfs_policy_find_share(policy, share),
                              .sources = sources,
                              .size = size,
                              .text = text,
                              .text_size = text_size};
    *ceiling = 0;
    *suspended = false;
    if (listing.user == GFS_NONE || listing.share == GFS_NONE)
        return 0;
    struct gfs_walk walk = {.policy = policy,
                            .now_ns = now_ns,
                            .reached = list_reach,
                            .context = &listing,
                            .window = gfs_window_open(),
                            .without_organization = GFS_NONE};
    if (gfs_walk_user(&walk, listing.user) < 0)
        return 0; /* out of memory: as if nothing gave anything */
    uint32_t group = GFS_NONE;
    *ceiling = find_ceiling(&listing, now_ns, &group);
    *suspended = gfs_policy_user(policy, listing.user)->suspended;
    add_ceiling(&listing, *ceiling, group);
    if (*suspended)
        add(&listing, 0, "account suspended");
    return listing.count;
}
