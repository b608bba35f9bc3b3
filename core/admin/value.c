#include "guildfs/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guildfs/clock.h"

#define SECONDS_PER_DAY (24 * 60 * 60)
#define LONGEST_DURATION_S (100LL * 366 * SECONDS_PER_DAY)

struct unit {
    char letter;
    int64_t factor;
};

static const struct unit duration_units[] = {
    {'w', 7 * SECONDS_PER_DAY}, {'d', SECONDS_PER_DAY}, {'h', 60 * 60}, {'m', 60}, {'s', 1}, {0, 0},
};

static const struct unit size_units[] = {
    {'P', 1LL << 50}, {'T', 1LL << 40}, {'G', 1LL << 30}, {'M', 1LL << 20}, {'K', 1LL << 10}, {0, 0},
};

/* A whole number, then one letter of units or the end. unit is 0 at the end. */
static bool parse_number(const char *text, int64_t *number, char *unit) {
    if (!isdigit((unsigned char)*text))
        return false;
    int64_t value = 0;
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *text - '0', &value))
            return false;
    }
    if (*text && text[1])
        return false;
    *number = value;
    *unit = *text;
    return true;
}

/* The factor of a letter; 0 when it is none of units. */
static int64_t unit_factor(const struct unit *units, char letter) {
    while (units->letter && units->letter != letter)
        units++;
    return units->factor;
}

static void format_number(int64_t value, const struct unit *units, char *text, size_t size) {
    while (units->letter && (value == 0 || value % units->factor != 0))
        units++;
    if (units->letter)
        snprintf(text, size, "%lld%c", (long long)(value / units->factor), units->letter);
    else
        snprintf(text, size, "%lld", (long long)value);
}

int gfs_duration_parse(const char *text, int64_t *ns, struct gfs_error *err) {
    int64_t number = 0;
    char unit = 0;
    bool ok = parse_number(text, &number, &unit);
    int64_t factor = unit ? unit_factor(duration_units, unit) : 1;
    if (!ok || factor == 0 || (!unit && number != 0) || number > LONGEST_DURATION_S / factor)
        return gfs_error_set(err, EINVAL, "\"%s\" is no duration; write for example 90s, 10m, 1h or 7d", text);
    *ns = number * factor * GFS_NS_PER_S;
    return 0;
}

void gfs_duration_format(int64_t ns, char text[static GFS_DURATION_TEXT_SIZE]) {
    int64_t seconds = ns / GFS_NS_PER_S;
    if (seconds == 0)
        strcpy(text, "0s");
    else
        format_number(seconds, duration_units, text, GFS_DURATION_TEXT_SIZE);
}

int gfs_size_parse(const char *text, int64_t *bytes, struct gfs_error *err) {
    int64_t number = 0;
    char unit = 0;
    bool ok = parse_number(text, &number, &unit);
    int64_t factor = unit ? unit_factor(size_units, (char)toupper((unsigned char)unit)) : 1;
    if (!ok || factor == 0 || number > INT64_MAX / factor)
        return gfs_error_set(err, EINVAL, "\"%s\" is no size; write for example 500M, 10G or a number of bytes", text);
    *bytes = number * factor;
    return 0;
}

void gfs_size_format(int64_t bytes, char text[static GFS_SIZE_TEXT_SIZE]) {
    format_number(bytes, size_units, text, GFS_SIZE_TEXT_SIZE);
}

/* ---- times ---- */

/* Two digits at text, within a range; -1 when they are not. */
static int two_digits(const char *text, int smallest, int largest) {
    if (!isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return -1;
    int value = (text[0] - '0') * 10 + (text[1] - '0');
    return value >= smallest && value <= largest ? value : -1;
}

/* The offset to UTC at text, in seconds: "Z", "+02:00". */
static bool parse_offset(const char *text, int *seconds) {
    if ((*text == 'Z' || *text == 'z') && text[1] == '\0') {
        *seconds = 0;
        return true;
    }
    if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':')
        return false;
    int hours = two_digits(text + 1, 0, 23), minutes = two_digits(text + 4, 0, 59);
    *seconds = (*text == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
    return hours >= 0 && minutes >= 0;
}

static bool date_exists(const struct tm *parts) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = parts->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return parts->tm_mday <= days[parts->tm_mon] + (parts->tm_mon == 1 && leap);
}

/* A time that 64 bits cannot hold becomes GFS_NEVER. */
static bool parse_rfc3339(const char *text, int64_t *ns) {
    static const char form[] = "0000-00-00T00:00:00";
    if (strlen(text) < sizeof(form))
        return false;
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool separator = form[i] == 'T' && (text[i] == 'T' || text[i] == 't' || text[i] == ' ');
        if (form[i] == '0' ? !isdigit((unsigned char)text[i]) : text[i] != form[i] && !separator)
            return false;
    }
    struct tm parts = {
        .tm_year = two_digits(text, 0, 99) * 100 + two_digits(text + 2, 0, 99) - 1900,
        .tm_mon = two_digits(text + 5, 1, 12) - 1,
        .tm_mday = two_digits(text + 8, 1, 31),
        .tm_hour = two_digits(text + 11, 0, 23),
        .tm_min = two_digits(text + 14, 0, 59),
        .tm_sec = two_digits(text + 17, 0, 60),
    };
    if (parts.tm_mon < 0 || parts.tm_mday < 0 || parts.tm_hour < 0 || parts.tm_min < 0 || parts.tm_sec < 0 ||
        !date_exists(&parts))
        return false;
    text += sizeof(form) - 1;
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");
        if (digits == 0)
            return false;
        text += 1 + digits;
    }
    int offset = 0;
    if (!parse_offset(text, &offset))
        return false;
    if (__builtin_mul_overflow((int64_t)timegm(&parts) - offset, GFS_NS_PER_S, ns))
        *ns = GFS_NEVER;
    return true;
}

int gfs_time_parse(const char *text, int64_t now_ns, int64_t *ns, struct gfs_error *err) {
    int64_t value = 0;
    if (*text == '+') {
        int rc = gfs_duration_parse(text + 1, &value, err);
        if (rc < 0)
            return rc;
        if (__builtin_add_overflow(now_ns, value, &value))
            value = GFS_NEVER;
    } else if (!parse_rfc3339(text, &value)) {
        return gfs_error_set(err, EINVAL, "\"%s\" is no time; write for example 2027-01-31T18:00:00Z, or +7d", text);
    }
    if (value == GFS_NEVER)
        return gfs_error_set(err, EINVAL, "\"%s\" lies too far away; times up to the year 2261 are known", text);
    if (value <= now_ns)
        return gfs_error_set(err, EINVAL, "the time \"%s\" has passed already", text);
    *ns = value;
    return 0;
}

int gfs_moment_parse(const char *text, int64_t now_ns, int64_t *ns, struct gfs_error *err) {
    int64_t value = 0;
    if (parse_rfc3339(text, &value)) {
        *ns = value;
        return 0;
    }
    if (gfs_duration_parse(text + (*text == '-'), &value, NULL) < 0)
        return gfs_error_set(err, EINVAL, "\"%s\" is no time; write for example 2026-01-31T18:00:00Z, or 2h (ago)",
                             text);
    *ns = now_ns - value;
    return 0;
}
