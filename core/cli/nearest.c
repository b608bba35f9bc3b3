#include <stdint.h>
#include <string.h>

#include "core/cli/nearest.h"

#define LONGEST 31 /* longer words get no suggestion */

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Letters to insert, remove, change, or swap with the next one. */
static size_t distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    size_t cost[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            size_t changed = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            cost[i][j] = smaller(changed, smaller(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = smaller(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[n][m];
}

struct cli_nearest cli_nearest_begin(const char *word) {
    return (struct cli_nearest){.word = word, .distance = SIZE_MAX};
}

void cli_nearest_offer(struct cli_nearest *nearest, const char *candidate) {
    if (!candidate || strlen(nearest->word) > LONGEST || strlen(candidate) > LONGEST)
        return;
    size_t found = distance(nearest->word, candidate);
    /* A third of the letters may be wrong, so that "x" suggests nothing. */
    if (found < nearest->distance && found * 3 <= strlen(candidate) + 1) {
        nearest->best = candidate;
        nearest->distance = found;
    }
}
