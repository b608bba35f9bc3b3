/*
 * Values that people write: durations, sizes, times. Parsing accepts the whole text or nothing:
 * -EINVAL, and err says what such a value looks like. Thread-safe.
 */
#ifndef GUILDFS_VALUE_H
#define GUILDFS_VALUE_H

#include <stdint.h>

#include "guildfs/error.h"

/* A whole number with one of s, m, h, d, w behind it: "90s", "10m", "1h", "7d". "0" needs no
 * unit. At most 100 years. */
int gfs_duration_parse(const char *text, int64_t *ns, struct gfs_error *err) GFS_MUST_CHECK;

/* "1h", "90s": the largest unit that divides it; "0s". */
#define GFS_DURATION_TEXT_SIZE 32
void gfs_duration_format(int64_t ns, char text[static GFS_DURATION_TEXT_SIZE]);

/* Bytes, or a whole number with one of K, M, G, T, P (powers of 1024) behind it: "4096", "10G". */
int gfs_size_parse(const char *text, int64_t *bytes, struct gfs_error *err) GFS_MUST_CHECK;

/* "10G", "1500": the largest unit that divides it. */
#define GFS_SIZE_TEXT_SIZE 32
void gfs_size_format(int64_t bytes, char text[static GFS_SIZE_TEXT_SIZE]);

/* RFC 3339 ("2026-03-01T12:00:00Z", "...+02:00", with a blank for the T if liked; fractions of a
 * second are dropped), or "+DURATION" from now_ns on. Must lie after now_ns. */
int gfs_time_parse(const char *text, int64_t now_ns, int64_t *ns, struct gfs_error *err) GFS_MUST_CHECK;

/* RFC 3339 as above, or "DURATION" or "-DURATION": so long before now_ns. Any time. */
int gfs_moment_parse(const char *text, int64_t now_ns, int64_t *ns, struct gfs_error *err) GFS_MUST_CHECK;

#endif
