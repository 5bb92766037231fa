/*
 * Loading takes three steps, so that a file may refer to what stands in another: read every file
 * into arrays, keeping each reference as text with its place; sort the ids and find duplicates;
 * then resolve references and freeze the names into the matcher. The first error ends it, and
 * nothing of the directory stays.
 */
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/model/directory_loader.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
    const struct directory_key *x = a, *y = b;
    int order = span_cmp(x->text, y->text);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int sort_keys(struct loader *loader, struct directory_list *keys, const char *what)
{
    struct directory_key *items = keys->items;
    if (keys->count > 1)
        qsort(items, keys->count, sizeof *items, compare_keys);
    for (size_t i = 1; i < keys->count; i++)
        if (span_eq(items[i - 1].text, items[i].text))
            return err_set(loader->err, ERR_INVALID,
                           "%.*s: %s id '%.*s' is already used at %.*s; choose another",
                           SPAN_ARG(items[i].place), what, SPAN_ARG(items[i].text),
                           SPAN_ARG(items[i - 1].place));
    return 0;
}

static int resolve_areas(struct loader *loader)
{
    const struct loader_home *homes = loader->homes.items;
    for (size_t i = 0; i < loader->homes.count; i++) {
        const struct loader_home *own = &homes[i];
        uint32_t area = directory_find(&loader->directory->area_keys, own->id);
        if (area == DIRECTORY_NONE)
            return err_set(loader->err, ERR_INVALID,
                           "%.*s: there is no community or street '%.*s'; correct the id",
                           SPAN_ARG(own->place), SPAN_ARG(own->id));
        directory_worker(loader->directory, own->worker)->area = area;
    }
    return 0;
}

static int resolve_post(struct loader *loader, const struct loader_post *post)
{
    struct directory *d = loader->directory;
    uint32_t worker = directory_find(&d->worker_keys, post->id);
    if (worker == DIRECTORY_NONE)
        return err_set(loader->err, ERR_INVALID,
                       "%.*s: there is no worker '%.*s'; add it to workers or correct the id",
                       SPAN_ARG(post->place), SPAN_ARG(post->id));
    if (directory_worker(d, worker)->area != post->area)
        return err_set(loader->err, ERR_INVALID,
                       "%.*s: worker '%.*s' does not belong to '%.*s' but to '%.*s'; a post is "
                       "held by one of its own",
                       SPAN_ARG(post->place), SPAN_ARG(post->id),
                       SPAN_ARG(directory_area(d, post->area)->id),
                       SPAN_ARG(directory_area(d, directory_worker(d, worker)->area)->id));
    if (post->kind != POST_HEAD)
        directory_worker(d, worker)->in_grid = true;
    if (post->kind == POST_HEAD)
        directory_area(d, post->owner)->worker = worker;
    else if (post->kind == POST_A)
        directory_grid(d, post->owner)->a = worker;
    else if (post->kind == POST_B && directory_grid(d, post->owner)->a == worker)
        return err_set(loader->err, ERR_INVALID,
                       "%.*s: '%.*s' holds the A post already; name another worker or leave b out",
                       SPAN_ARG(post->place), SPAN_ARG(post->id));
    else if (post->kind == POST_B)
        directory_grid(d, post->owner)->b = worker;
    else
        directory_grid(d, post->owner)->leader = worker;
    return 0;
}

/* At a desk the area's hours are the shifts of who has none. */
static void keep_hours(struct directory_worker *worker, const struct directory_area *area)
{
    if (worker->shift_count > 0)
        return;
    worker->first_shift = area->first_shift;
    worker->shift_count = area->shift_count;
}

/* Who answers for an area itself: its head first, then those of its workers, in the files' order,
 * who hold no post of a grid. */
static void seat_desks(struct directory *d)
{
    for (uint32_t i = 0; i < d->areas.count; i++)
        directory_area(d, i)->desk = DIRECTORY_NONE;
    for (uint32_t i = (uint32_t)d->workers.count; i-- > 0;) {
        struct directory_worker *worker = directory_worker(d, i);
        struct directory_area *area = directory_area(d, worker->area);
        if (worker->in_grid || area->worker == i)
            continue;
        keep_hours(worker, area);
        worker->next = area->desk;
        area->desk = i;
    }
    for (uint32_t i = 0; i < d->areas.count; i++) {
        struct directory_area *area = directory_area(d, i);
        keep_hours(directory_worker(d, area->worker), area);
        directory_worker(d, area->worker)->next = area->desk;
        area->desk = area->worker;
    }
}

static int compare_folded(const void *a, const void *b)
{
    const struct loader_name *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    int order = memcmp(x->units, y->units, x->count * sizeof x->units[0]);
    return order != 0 ? order : (x->name > y->name) - (x->name < y->name);
}

static int check_names(struct loader *loader)
{
    struct loader_name *folded = loader->folded.items;
    qsort(folded, loader->folded.count, sizeof *folded, compare_folded);
    for (size_t i = 1; i < loader->folded.count; i++) {
        const struct loader_name *a = &folded[i - 1], *b = &folded[i];
        if (a->count == b->count && memcmp(a->units, b->units, a->count * sizeof a->units[0]) == 0)
            return err_set(loader->err, ERR_INVALID,
                           "%.*s: the name '%.*s' is already used at %.*s; a place name belongs "
                           "to one place",
                           SPAN_ARG(b->place),
                           SPAN_ARG(directory_name(loader->directory, b->name)->text),
                           SPAN_ARG(a->place));
    }
    return 0;
}

static int build_names(struct loader *loader)
{
    if (check_names(loader) != 0)
        return -1;
    struct keywords_builder *builder = keywords_builder_new();
    if (builder == NULL)
        return loader_no_memory(loader);
    const struct loader_name *folded = loader->folded.items;
    int result = 0;
    for (size_t i = 0; i < loader->folded.count && result == 0; i++)
        result =
            keywords_add(builder, folded[i].units, folded[i].count, folded[i].name, loader->err);
    if (result == 0)
        loader->directory->place_names = keywords_build(builder, loader->err);
    keywords_builder_free(&builder);
    return loader->directory->place_names == NULL ? -1 : 0;
}

static int resolve(struct loader *loader)
{
    struct directory *d = loader->directory;
    if (sort_keys(loader, &d->area_keys, "street or community") != 0 ||
        sort_keys(loader, &d->grid_keys, "grid") != 0 ||
        sort_keys(loader, &d->worker_keys, "worker") != 0 || resolve_areas(loader) != 0)
        return -1;
    const struct loader_post *posts = loader->posts.items;
    for (size_t i = 0; i < loader->posts.count; i++)
        if (resolve_post(loader, &posts[i]) != 0)
            return -1;
    seat_desks(d);
    return build_names(loader);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the paths of dir's *.yaml files, sorted. */
static int list_files(struct loader *loader, const char *dir, struct directory_list *paths)
{
    DIR *stream = opendir(dir);
    if (stream == NULL)
        return err_set(loader->err, ERR_IO, "%s: cannot be opened: %s; it holds the directory", dir,
                       strerror(errno));
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.' || !span_ends(span_str(entry->d_name), SPAN(".yaml")))
            continue;
        struct span path = arena_printf(loader->scratch, "%s/%s", dir, entry->d_name);
        const char **slot = loader_add(loader, paths, sizeof *slot);
        if (slot == NULL || path.ptr == NULL)
            result = loader_no_memory(loader);
        else
            *slot = path.ptr;
    }
    closedir(stream);
    if (result == 0 && (paths->count == 0 || paths->count > LIMIT_DIRECTORY_FILES))
        return err_set(loader->err, ERR_INVALID, "%s: holds %zu *.yaml files; it needs 1 to %d",
                       dir, paths->count, LIMIT_DIRECTORY_FILES);
    if (result == 0)
        qsort(paths->items, paths->count, sizeof(char *), compare_paths);
    return result;
}

static int load_files(struct loader *loader, const char *dir)
{
    struct directory_list paths = {0};
    int result = list_files(loader, dir, &paths);
    for (size_t i = 0; i < paths.count && result == 0; i++)
        result = loader_read_file(loader, ((const char **)paths.items)[i]);
    mem_free(paths.items);
    return result;
}

struct directory *directory_load(const char *dir, struct err *err)
{
    struct loader loader = {.err = err};
    loader.directory = mem_zalloc(1, sizeof *loader.directory);
    loader.scratch = arena_new(16384);
    if (loader.directory != NULL)
        loader.directory->arena = arena_new(65536);
    int result = 0;
    if (loader.directory == NULL || loader.scratch == NULL || loader.directory->arena == NULL)
        result = loader_no_memory(&loader);
    if (result == 0)
        result = load_files(&loader, dir);
    if (result == 0)
        result = resolve(&loader);
    mem_free(loader.posts.items);
    mem_free(loader.homes.items);
    mem_free(loader.folded.items);
    arena_free(&loader.scratch);
    if (result != 0)
        directory_free(&loader.directory);
    return loader.directory;
}
