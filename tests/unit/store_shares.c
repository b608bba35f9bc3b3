/* Shares: adding, changing, finding by reference, and where their directories may lie. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/node.h"
#include "core/store/project.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

/* Adds a files share with this directory below the default node. */
static int add_at(struct world *world, const char *path, gfs_id parent, gfs_id *id) {
    char name[GFS_NAME_MAX + 1];
    gfs_id unused;

    snprintf(name, sizeof name, "%s", path);
    for (char *at = name; (at = strchr(at, '/'));)
        *at = '-';
    struct gfs_share_record share = gfs_share_record_default(name, GFS_KIND_FILES);
    share.path = path;
    share.parent = parent;
    return gfs_store_share_add(world->tx, &share, id ? id : &unused, &world->err);
}

static void begins_with_defaults(void **state) {
    struct world *world = *state;
    gfs_id id = world_share(world, "atlas", GFS_KIND_FILES, 0, 0);
    char path[256];
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *image = NULL;

    assert_ok(world, gfs_store_share_load_id(world->store, id, &share, &world->err));
    assert_true(gfs_uuid_valid(share->uuid));
    assert_string_equal(share->path, share->uuid);
    assert_int_equal(share->state, GFS_SHARE_ACTIVE);
    assert_int_equal(share->grace_ns, 3600 * GFS_NS_PER_S);
    assert_false(share->overwrite_upload);
    assert_int_equal(share->quota_bytes, 0);
    assert_int_equal(share->data_mode, GFS_DATA_REVOCABLE);
    assert_int_equal(share->on_revoke, GFS_REVOKE_POISON);
    assert_int_equal(share->organization, GFS_DEFAULT_ORGANIZATION);
    assert_string_equal(share->organization_name, "default");
    assert_string_equal(share->node_name, "default");
    snprintf(path, sizeof path, "%s/data", gfs_store_path(world->store));
    assert_string_equal(share->node_path, path);
    assert_null(share->group_name);
    world_share(world, "ubuntu", GFS_KIND_IMAGE, 0, 0);
    assert_ok(world, gfs_store_share_load(world->store, "ubuntu", &image, &world->err));
    assert_int_equal(image->data_mode, GFS_DATA_FAST);
}

static void keeps_every_option(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob"),
           group = world_group(world, "genomics", 0);
    gfs_id source = world_share(world, "source", GFS_KIND_CAPSULE, 0, alice);
    const struct gfs_project_record project = {.organization = 1, .name = "census"};
    gfs_id project_id, id;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *found = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *changed = NULL;

    assert_ok(world, gfs_store_project_add(world->tx, &project, &project_id, &world->err));
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_CAPSULE);
    share.group = group;
    share.project = project_id;
    share.owner = alice;
    share.title = "The atlas";
    share.description = "maps";
    share.path = "deep/atlas";
    share.state = GFS_SHARE_ARCHIVED;
    share.grace_ns = 5;
    share.overwrite_upload = true;
    share.quota_bytes = 6;
    share.data_mode = GFS_DATA_FAST;
    share.audit = GFS_AUDIT_ALL;
    share.bin_days = 7;
    share.purge_days = 8;
    share.on_revoke = GFS_REVOKE_KILL;
    share.discoverable = true;
    share.published_ns = 9;
    share.published_by = bob;
    share.work_status = "running";
    share.copied_from = source;
    share.permanent = true;
    share.created_by = bob;
    assert_ok(world, gfs_store_share_add(world->tx, &share, &id, &world->err));
    assert_ok(world, gfs_store_share_load_id(world->store, id, &found, &world->err));
    for (int round = 0; round < 2; round++) { /* as added; then as changed to the same */
        assert_string_equal(found->group_name, "genomics");
        assert_string_equal(found->project_name, "census");
        assert_string_equal(found->owner_name, "alice");
        assert_string_equal(found->title, "The atlas");
        assert_string_equal(found->description, "maps");
        assert_string_equal(found->path, "deep/atlas");
        assert_int_equal(found->kind, GFS_KIND_CAPSULE);
        assert_int_equal(found->state, GFS_SHARE_ARCHIVED);
        assert_int_equal(found->grace_ns, 5);
        assert_true(found->overwrite_upload);
        assert_int_equal(found->quota_bytes, 6);
        assert_int_equal(found->data_mode, GFS_DATA_FAST);
        assert_int_equal(found->audit, GFS_AUDIT_ALL);
        assert_int_equal(found->bin_days, 7);
        assert_int_equal(found->purge_days, 8);
        assert_int_equal(found->on_revoke, GFS_REVOKE_KILL);
        assert_true(found->discoverable);
        assert_int_equal(found->published_ns, 9);
        assert_int_equal(found->published_by, bob);
        assert_string_equal(found->work_status, "running");
        assert_int_equal(found->copied_from, source);
        assert_true(found->permanent);
        assert_int_equal(found->created_by, bob);
        assert_true(found->archived_ns > 0);
        assert_ok(world, gfs_store_share_update(world->tx, found, &world->err));
        free(found);
        found = NULL;
        assert_ok(world, gfs_store_share_load_id(world->store, id, &found, &world->err));
    }
    found->name = "maps";
    found->title = NULL;
    assert_ok(world, gfs_store_share_update(world->tx, found, &world->err));
    assert_ok(world, gfs_store_share_load(world->store, "maps", &changed, &world->err));
    assert_int_equal(changed->id, id);
    assert_null(changed->title);
    changed->id = 999;
    assert_fails(world, gfs_store_share_update(world->tx, changed, &world->err), ENOENT, "no share");
}

static void remembers_archiving(void **state) {
    struct world *world = *state;
    gfs_id id = world_share(world, "atlas", GFS_KIND_FILES, 0, 0);
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *after = NULL;

    assert_ok(world, gfs_store_share_load_id(world->store, id, &share, &world->err));
    assert_int_equal(share->archived_ns, 0);
    assert_int_equal(share->unarchived_ns, 0);
    share->state = GFS_SHARE_ARCHIVED;
    assert_ok(world, gfs_store_share_update(world->tx, share, &world->err));
    int64_t archived = world_number(world, "SELECT archived_ns FROM shares");
    assert_int_equal(archived, gfs_tx_now_ns(world->tx));
    assert_int_equal(world_number(world, "SELECT unarchived_ns IS NULL FROM shares"), 1);
    world_commit(world);
    assert_ok(world, gfs_store_share_update(world->tx, share, &world->err)); /* archived still: no new moment */
    assert_int_equal(world_number(world, "SELECT archived_ns FROM shares"), archived);
    share->state = GFS_SHARE_ACTIVE;
    assert_ok(world, gfs_store_share_update(world->tx, share, &world->err));
    assert_ok(world, gfs_store_share_load_id(world->store, id, &after, &world->err));
    assert_int_equal(after->archived_ns, archived);
    assert_int_equal(after->unarchived_ns, gfs_tx_now_ns(world->tx));
}

static void names_in_their_scope(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id first = world_group(world, "first", 0), second = world_group(world, "second", 0), id;
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_FILES);

    world_share(world, "atlas", GFS_KIND_FILES, first, 0);
    world_share(world, "atlas", GFS_KIND_VOLUME, first, 0);
    world_share(world, "atlas", GFS_KIND_FILES, second, 0);
    world_share(world, "atlas", GFS_KIND_FILES, 0, alice);
    world_share(world, "atlas", GFS_KIND_FILES, 0, bob);
    world_share(world, "atlas", GFS_KIND_FILES, 0, 0);
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EEXIST, "in no group already");
    share.owner = alice;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EEXIST, "in no group already");
    share.group = first;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EEXIST, "the group has");
}

static void bad_values(void **state) {
    struct world *world = *state;
    gfs_id id = 5;
    static const char *const names[] = {"", "a/b", "..", "my", "public", ".guildfs-x", "a\nb"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct gfs_share_record share = gfs_share_record_default(names[i], GFS_KIND_FILES);
        assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "");
    }
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    share.grace_ns = -1;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "grace");
    share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    share.quota_bytes = -1;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "quota");
    share = gfs_share_record_default("atlas", (enum gfs_kind)9);
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "kind");
    share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    share.node = 99;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), ENOENT, "");
    assert_int_equal(id, 5);
    static const char *const paths[] = {"", "/etc", "a/", "a//b", "../a", "a/../b", "a/..", "./a", "a/.", "."};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        share = gfs_share_record_default("atlas", GFS_KIND_FILES);
        share.path = paths[i];
        assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "");
    }
    assert_ok(world, add_at(world, "..a/b../.c", 0, NULL));
}

/* CO-24 */
static void a_capsule_has_one_owner(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), id = world_share(world, "work", GFS_KIND_CAPSULE, 0, alice);
    struct gfs_share_record share = gfs_share_record_default("orphan", GFS_KIND_CAPSULE);

    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "owner");
    assert_fails(world, world_sql(world, "UPDATE shares SET owner_id = NULL"), EINVAL, "");
}

static void directories_do_not_overlap(void **state) {
    struct world *world = *state;
    gfs_id outer, inner, other;

    assert_ok(world, add_at(world, "lab", 0, &outer));
    assert_ok(world, add_at(world, "lab2", 0, &other)); /* begins alike, lies beside */
    assert_ok(world, add_at(world, "lab-2", 0, NULL));
    struct gfs_share_record again = gfs_share_record_default("again", GFS_KIND_FILES);
    again.path = "lab";
    assert_fails(world, gfs_store_share_add(world->tx, &again, &other, &world->err), EEXIST, "has this directory");
    assert_fails(world, add_at(world, "lab/x", 0, NULL), EINVAL, "lies in the share");
    assert_fails(world, add_at(world, "lab/x/y", other, NULL), EINVAL, "lies in the share");
    assert_ok(world, add_at(world, "lab/x/y", outer, &inner));
    assert_fails(world, add_at(world, "lab/x", outer, NULL), EINVAL, "lies around another share");
    assert_fails(world, add_at(world, "lab/x/y/z", outer, NULL), EINVAL, "lies in the share");
    assert_ok(world, add_at(world, "lab/x/y/z", inner, NULL));
    assert_fails(world, add_at(world, "elsewhere", outer, NULL), EINVAL, "inside the directory of the share around it");
    assert_ok(world, add_at(world, "a/b/c", 0, NULL));
    assert_fails(world, add_at(world, "a", 0, NULL), EINVAL, "lies around another share");
    /* On another node the same path is another place, and no parent for it. */
    const struct gfs_node_record node = {.name = "big", .path = "/srv/big"};
    gfs_id node_id, id;
    assert_ok(world, gfs_store_node_add(world->tx, &node, &node_id, &world->err));
    struct gfs_share_record share = gfs_share_record_default("far", GFS_KIND_FILES);
    share.node = node_id;
    share.path = "lab/x";
    share.parent = outer;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "inside the directory");
    share.parent = 0;
    assert_ok(world, gfs_store_share_add(world->tx, &share, &id, &world->err));
}

static void a_place_is_for_ever(void **state) {
    struct world *world = *state;
    gfs_id outer, inner;

    assert_ok(world, add_at(world, "lab", 0, &outer));
    assert_ok(world, add_at(world, "lab/x", outer, &inner));
    static const char *const changes[] = {"path = 'other'", "node_id = 9", "kind = 'volume'", "parent_id = NULL",
                                          "uuid = '019a0000-0000-7000-8000-000000000000'"};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        assert_fails(world, world_sql(world, "UPDATE shares SET %s WHERE id = %d", changes[i], (int)inner), EPERM,
                     "cannot be changed");
    assert_fails(world, gfs_store_share_remove(world->tx, outer, &world->err), EBUSY, "nested");
    assert_ok(world, world_grant(world, GFS_SUBJECT_EVERYONE, 0, inner, GFS_VIEW));
    assert_ok(world, gfs_store_share_remove(world->tx, inner, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM grants"), 0);
    assert_ok(world, gfs_store_share_remove(world->tx, outer, &world->err));
    assert_fails(world, gfs_store_share_remove(world->tx, outer, &world->err), ENOENT, "no share");
}

static void belongs_to_one_organization(void **state) {
    struct world *world = *state;
    const struct gfs_organization_record other = {.name = "other", .plan = GFS_PLAN_TEAM};
    gfs_id other_id, id, group = world_group(world, "genomics", 0);
    const struct gfs_project_record project = {.organization = 1, .name = "census"};
    gfs_id project_id;

    assert_ok(world, gfs_store_organization_add(world->tx, &other, &other_id, &world->err));
    assert_ok(world, gfs_store_project_add(world->tx, &project, &project_id, &world->err));
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    share.organization = other_id;
    share.group = group;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "the group of a share");
    share.group = 0;
    share.project = project_id;
    assert_fails(world, gfs_store_share_add(world->tx, &share, &id, &world->err), EINVAL, "the project of a share");
    share.project = 0;
    assert_ok(world, gfs_store_share_add(world->tx, &share, &id, &world->err));
    assert_fails(world, world_sql(world, "UPDATE shares SET group_id = %d", (int)group), EINVAL,
                 "the group of a share");
    assert_fails(world, world_sql(world, "UPDATE shares SET project_id = %d", (int)project_id), EINVAL, "the project");
}

/* ---- references ---- */

static void assert_finds(struct world *world, const char *text, gfs_id id, const char *rest) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    const char *found_rest = NULL;

    assert_ok(world, gfs_store_share_resolve(world->store, text, &share, &found_rest, &world->err));
    assert_int_equal(share->id, id);
    assert_string_equal(found_rest, rest);
    free(share);
    share = NULL;
    if (*rest == '\0') {
        assert_ok(world, gfs_store_share_load(world->store, text, &share, &world->err));
        assert_int_equal(share->id, id);
    } else {
        assert_fails(world, gfs_store_share_load(world->store, text, &share, &world->err), ENOENT, text);
    }
}

static void finds_by_reference(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), genomics = world_group(world, "genomics", 0);
    gfs_id physics = world_group(world, "physics", 0);
    gfs_id files = world_share(world, "atlas", GFS_KIND_FILES, genomics, 0);
    gfs_id volume = world_share(world, "atlas", GFS_KIND_VOLUME, genomics, 0);
    gfs_id image = world_share(world, "unique", GFS_KIND_IMAGE, physics, 0);
    gfs_id own = world_share(world, "notes", GFS_KIND_FILES, 0, alice);
    gfs_id like_group = world_share(world, "genomics", GFS_KIND_FILES, 0, alice);
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *by_id = NULL;
    const char *rest = NULL;

    assert_finds(world, "unique", image, "");
    assert_finds(world, "unique/", image, "");
    assert_finds(world, "unique/a/b c.txt", image, "a/b c.txt");
    assert_finds(world, "physics/images/unique", image, "");
    assert_finds(world, "genomics/files/atlas", files, "");
    assert_finds(world, "genomics/files/atlas/2026/a.txt", files, "2026/a.txt");
    assert_finds(world, "genomics/volumes/atlas", volume, "");
    assert_finds(world, "notes", own, "");
    assert_finds(world, "genomics/files/other", like_group, "files/other"); /* no such share in the group */
    assert_finds(world, "genomics", like_group, "");
    assert_ok(world, gfs_store_share_load_id(world->store, own, &by_id, &world->err));
    assert_finds(world, by_id->uuid, own, "");
    assert_fails(world, gfs_store_share_load(world->store, "atlas", &share, &world->err), EINVAL,
                 "genomics/files/atlas, genomics/volumes/atlas");
    assert_fails(world, gfs_store_share_load(world->store, "none", &share, &world->err), ENOENT, "none");
    assert_fails(world, gfs_store_share_load(world->store, "physics/files/none", &share, &world->err), ENOENT,
                 "physics/files/none");
    assert_fails(world, gfs_store_share_resolve(world->store, "", &share, &rest, &world->err), EINVAL,
                 "names no share");
    assert_fails(world, gfs_store_share_resolve(world->store, "/atlas", &share, &rest, &world->err), EINVAL,
                 "no share");
    char long_name[400];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_fails(world, gfs_store_share_load(world->store, long_name, &share, &world->err), ENOENT, "xxx");
    assert_null(share);
    assert_null(rest);
}

static int add_name(void *context, const struct gfs_share_record *share) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 256 - used, "%s ", share->name);
    return 0;
}

static void lists_what_is_asked_for(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), genomics = world_group(world, "genomics", 0), outer;

    world_share(world, "zebra", GFS_KIND_FILES, 0, alice);
    world_share(world, "atlas", GFS_KIND_VOLUME, genomics, 0);
    world_share(world, "birds", GFS_KIND_FILES, genomics, alice);
    assert_ok(world, add_at(world, "lab", 0, &outer));
    assert_ok(world, add_at(world, "lab/x", outer, NULL));
    const struct {
        struct gfs_share_filter filter;
        const char *expected;
    } cases[] = {
        {{0}, "lab lab-x zebra birds atlas "},
        {{.group = genomics}, "birds atlas "},
        {{.owner = alice}, "zebra birds "},
        {{.owner = alice, .group = genomics}, "birds "},
        {{.parent = outer}, "lab-x "},
        {{.organization = 1, .node = 1}, "lab lab-x zebra birds atlas "},
        {{.project = 4}, ""},
        {{.organization = 4}, ""},
        {{.node = 4}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256] = "";
        assert_ok(world, gfs_store_share_list(world->store, &cases[i].filter, add_name, text, &world->err));
        assert_string_equal(text, cases[i].expected);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(begins_with_defaults),
        TEST(keeps_every_option),
        TEST(remembers_archiving),
        TEST(names_in_their_scope),
        TEST(bad_values),
        TEST(a_capsule_has_one_owner),
        TEST(directories_do_not_overlap),
        TEST(a_place_is_for_ever),
        TEST(belongs_to_one_organization),
        TEST(finds_by_reference),
        TEST(lists_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
