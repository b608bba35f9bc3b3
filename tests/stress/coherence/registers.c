#include "registers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 12 };

void register_text(char *text, size_t size, int reg) {
    static const char *const others[] = {"size",   "mtime",        "mode",         "attribute",
                                         "length", "young file 0", "young file 1", "young file 2"};

    if (reg < R_CELLS)
        snprintf(text, size, "name f%d/n%d", reg / FOLDER_NAMES, reg % FOLDER_NAMES);
    else if (reg < R_MAP_CELLS)
        snprintf(text, size, "cell %d", reg - R_CELLS);
    else if (reg < R_SIZE)
        snprintf(text, size, "mapped cell %d", reg - R_MAP_CELLS);
    else
        snprintf(text, size, "%s", others[reg - R_SIZE]);
}

static int by_end(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* The events of one register, sorted by their ends. */
struct part {
    struct event *events;
    size_t count;
    uint64_t *newest; /* of each: the latest begin of all writes that had ended with it */
};

/* The first event that ended at the time or later. */
static size_t first_from(const struct part *part, uint64_t time) {
    size_t low = 0, high = part->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (part->events[middle].end < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool fits(const struct event *read, const struct event *write) {
    if (write->kind != E_WRITE || write->begin > read->end)
        return false;
    return read->kind == E_THERE ? write->value != V_ABSENT : write->value == read->value;
}

/* Whether the value that was read could still be there. Of the writes that had ended, take the one that
 * began last: whatever ended before that began is gone. */
static bool is_fresh(const struct part *part, const struct event *read) {
    size_t before = first_from(part, read->begin);

    for (size_t i = first_from(part, before ? part->newest[before - 1] : 0); i < part->count; i++)
        if (fits(read, &part->events[i]))
            return true;
    return false;
}

/* A length only grows, by eight bytes for each append. */
static bool length_is_fresh(const struct part *part, const struct event *read) {
    uint64_t least = 0, most = 0;

    for (size_t i = 0; i < part->count; i++) {
        const struct event *write = &part->events[i];
        if (write->kind != E_WRITE)
            continue;
        least += write->end < read->begin ? write->value : 0;
        most += write->begin <= read->end ? write->value : 0;
    }
    return read->value >= least && read->value <= most;
}

static void print_event(const struct event *event, uint64_t began, const char *mark) {
    static const char *const kinds[] = {"wrote", "read", "saw something"};
    printf("  %s %12.3f to %12.3f us  process %d %s %" PRIu64 " (%d)\n", mark, (double)(event->begin - began) / 1e3,
           (double)(event->end - began) / 1e3, event->process, kinds[event->kind], event->value, event->act);
}

static void show(const struct part *part, const struct event *read, uint64_t began) {
    char name[64];
    size_t at = (size_t)(read - part->events), first = at;

    for (int writes = 0; first > 0 && writes < SHOWN && at - first < 4 * SHOWN; first--)
        writes += part->events[first - 1].kind == E_WRITE;
    register_text(name, sizeof name, read->reg);
    printf("STALE %s; what happened to it:\n", name);
    for (size_t i = first; i < part->count && i < at + SHOWN; i++)
        print_event(&part->events[i], began, i == at ? "=>" : "  ");
}

static int judge_part(const struct part *part, uint64_t began) {
    int stale = 0;

    for (size_t i = 0; i < part->count; i++) {
        const struct event *event = &part->events[i];
        if (event->kind == E_WRITE)
            continue;
        if (event->reg == R_LENGTH ? length_is_fresh(part, event) : is_fresh(part, event))
            continue;
        if (++stale <= 2)
            show(part, event, began);
    }
    return stale;
}

static int judge_register(struct event *all, size_t count, int reg, uint64_t initial, uint64_t began,
                          struct part *part) {
    uint64_t newest = 0;

    part->events[0] =
        (struct event){.begin = began, .end = began, .value = initial, .reg = (uint8_t)reg, .process = 255};
    part->count = 1;
    for (size_t i = 0; i < count; i++)
        if (all[i].reg == reg)
            part->events[part->count++] = all[i];
    qsort(part->events, part->count, sizeof *part->events, by_end);
    for (size_t i = 0; i < part->count; i++) {
        const struct event *event = &part->events[i];
        newest = event->kind == E_WRITE && event->begin > newest ? event->begin : newest;
        part->newest[i] = newest;
    }
    return judge_part(part, began);
}

int judge(struct event *events, size_t count, const uint64_t initial[static REGISTERS], uint64_t began) {
    struct part part = {.events = calloc(count + 1, sizeof *part.events),
                        .newest = calloc(count + 1, sizeof *part.newest)};
    int stale = part.events && part.newest ? 0 : 1;

    for (int reg = 0; part.events && part.newest && reg < REGISTERS; reg++)
        stale += judge_register(events, count, reg, initial[reg], began, &part);
    free(part.events);
    free(part.newest);
    return stale;
}
