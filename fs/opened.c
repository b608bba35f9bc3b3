#include "fs/opened.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "fs/ops/ops.h"

struct gfs_opened_list {
    pthread_mutex_t lock;
    struct gfs_opened ends; /* the list is a ring through it */
    uint64_t most_per_view; /* never changes */
};

int gfs_opened_list_new(struct gfs_opened_list **out) {
    struct gfs_opened_list *list = calloc(1, sizeof *list);
    struct rlimit limit = {0};
    if (!list)
        return -ENOMEM;
    getrlimit(RLIMIT_NOFILE, &limit);
    list->most_per_view = limit.rlim_cur / 2;
    pthread_mutex_init(&list->lock, NULL);
    list->ends.previous = list->ends.next = &list->ends;
    *out = list;
    return 0;
}

int gfs_opened_admit(struct gfs_mount *mount, const struct gfs_view *view) {
    return view && atomic_load(&view->opened) >= mount->opened->most_per_view ? -ENFILE : 0;
}

void gfs_opened_add(struct gfs_mount *mount, struct gfs_opened *opened, const struct gfs_node *node, bool folder) {
    struct gfs_opened_list *list = mount->opened;

    opened->folder = folder;
    opened->node = node;
    opened->view = node->view;
    if (opened->view)
        atomic_fetch_add(&opened->view->opened, 1);
    pthread_mutex_lock(&list->lock);
    opened->previous = &list->ends;
    opened->next = list->ends.next;
    opened->next->previous = opened;
    list->ends.next = opened;
    pthread_mutex_unlock(&list->lock);
}

void gfs_opened_remove(struct gfs_mount *mount, struct gfs_opened *opened) {
    if (opened->view)
        atomic_fetch_sub(&opened->view->opened, 1);
    pthread_mutex_lock(&mount->opened->lock);
    opened->previous->next = opened->next;
    opened->next->previous = opened->previous;
    pthread_mutex_unlock(&mount->opened->lock);
}

void gfs_opened_visit(struct gfs_mount *mount, void (*visit)(void *context, const struct gfs_node *node),
                      void *context) {
    struct gfs_opened_list *list = mount->opened;

    pthread_mutex_lock(&list->lock);
    for (const struct gfs_opened *opened = list->ends.next; opened != &list->ends; opened = opened->next)
        visit(context, opened->node);
    pthread_mutex_unlock(&list->lock);
}

void gfs_opened_list_free(struct gfs_mount *mount) {
    struct gfs_opened_list *list = mount->opened;

    if (!list)
        return;
    while (list->ends.next != &list->ends) {
        struct gfs_opened *opened = list->ends.next;
        if (opened->folder)
            gfs_op_releasedir(mount, (struct gfs_folder_handle *)(void *)opened);
        else
            gfs_op_close(mount, (struct gfs_handle *)(void *)opened, 0);
    }
    pthread_mutex_destroy(&list->lock);
    free(list);
    mount->opened = NULL;
}
