/*
 * From what a case declares to what a decision depends on: the facts about an object, for a user.
 * This is what the store and the mount do with real shares and real files, said in a few lines.
 */
#ifndef GUILDFS_TESTS_CASES_FACTS_H
#define GUILDFS_TESTS_CASES_FACTS_H

#include "guildfs/decision.h"
#include "tests/cases/parse.h"

#define CASE_MAX_SOURCES 64

/* What has a path, or the root of a share. item is NULL for the root. */
struct case_object {
    const struct case_share *share;
    const struct case_item *item;
    struct gfs_facts facts;
};

/* The sources of a user's permissions on a share. Returns how many there are. */
size_t case_sources(const struct case_file *file, const struct case_principal *user, const struct case_share *share,
                    struct gfs_source sources[static CASE_MAX_SOURCES]);

/* Finds what has the path (its first length bytes), and its facts for the user. false: nothing has. */
bool case_object_find(const struct case_file *file, const struct case_principal *user, const char *path, size_t length,
                      struct case_object *out);

/* Whether the user gets as far as to the folder that holds the path: every folder on the way shows. */
bool case_reaches(const struct case_file *file, const struct case_principal *user, const char *path);

/* The length of the path of the folder around. The path is not that of a share. */
size_t case_folder_length(const char *path);

#endif
