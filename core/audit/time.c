#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guildfs/audit.h"

void gfs_audit_time_format(int64_t ns, char text[static GFS_AUDIT_TIME_SIZE]) {
    time_t seconds = (time_t)(ns / GFS_NS_PER_S);
    struct tm parts = {.tm_mday = 1};

    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, GFS_AUDIT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, GFS_AUDIT_TIME_SIZE - length, ".%09dZ", (int)(ns % GFS_NS_PER_S));
}

/* Only what gfs_audit_time_format() writes: a line with another time is damaged. */
int gfs_audit_time_parse(const char *text, int64_t *ns) {
    static const char form[] = "0000-00-00T00:00:00.000000000Z";
    struct tm parts = {0};
    int nanoseconds = 0;

    for (size_t i = 0; i < sizeof(form); i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return -EINVAL;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%9d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
               &parts.tm_min, &parts.tm_sec, &nanoseconds) != 7)
        return -EINVAL;
    if (parts.tm_year < 1970 || parts.tm_year > 2261)
        return -EINVAL;
    parts.tm_year -= 1900;
    parts.tm_mon--;
    *ns = (int64_t)timegm(&parts) * GFS_NS_PER_S + nanoseconds;
    return 0;
}
