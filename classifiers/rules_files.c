#include "classifiers/rules_files.h"

#include "engine/base/hash.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_ARENA_BYTES = 65536 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while reading the rule set");
}

/* Reads an open file of st_size bytes; a file that grows meanwhile is cut there. */
static int read_text(struct rules_files *files, struct rules_file *file, int fd, size_t size,
                     struct err *err)
{
    char *bytes = arena_alloc(files->arena, size + 1);
    if (bytes == NULL)
        return no_memory(err);
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, bytes + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "%s: cannot be read: %s", file->path, strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
    }
    bytes[len] = '\0';
    file->text = span_of(bytes, len);
    return 0;
}

static int load_file(struct rules_files *files, struct rules_file *file, struct err *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: cannot be opened: %s; make it readable or remove it",
                       file->path, strerror(errno));
    struct stat st;
    int done;
    if (fstat(fd, &st) != 0)
        done = err_set(err, ERR_IO, "%s: cannot be read: %s", file->path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        done = err_set(err, ERR_INVALID, "%s: is not a file; remove or rename it", file->path);
    else if (st.st_size > LIMIT_RULE_FILE_BYTES)
        done = err_set(err, ERR_LIMIT, "%s: is larger than %d bytes; split it", file->path,
                       LIMIT_RULE_FILE_BYTES);
    else
        done = read_text(files, file, fd, (size_t)st.st_size, err);
    close(fd);
    return done;
}

/* The next free entry, or NULL and *err. */
static struct rules_file *add_entry(struct rules_files *files, struct err *err)
{
    if (files->count == LIMIT_RULE_FILES) {
        err_set(err, ERR_LIMIT, "a rule set may have %d files at the most; merge some",
                LIMIT_RULE_FILES);
        return NULL;
    }
    struct rules_file *list =
        mem_grow(files->list, &files->capacity, files->count, 32, sizeof *list);
    if (list == NULL) {
        no_memory(err);
        return NULL;
    }
    files->list = list;
    struct rules_file *file = &files->list[files->count];
    *file = (struct rules_file){0};
    return file;
}

/* A folder of the rule set, "" or "name/", and what its files end in. */
struct folder {
    const char *name;
    const char *suffix;
    bool required;
};

static const struct folder folders[] = {{"", ".yaml", true},
                                        {"categories/", ".yaml", true},
                                        {"directory/", ".yaml", false},
                                        {"learned/", ".tsv", false}};
enum { FOLDERS = sizeof folders / sizeof *folders };

/* Takes one name of a folder: reads it when its end is right, refuses .yml, leaves others alone. */
static int take_name(struct rules_files *files, const char *dir, const struct folder *folder,
                     const char *base, struct err *err)
{
    struct span name = span_str(base);
    if (name.ptr[0] == '.')
        return 0;
    if (span_ends(name, SPAN(".yml")))
        return err_set(err, ERR_INVALID, "%s/%s%s: would not be read; rename it to end in .yaml",
                       dir, folder->name, base);
    if (!span_ends(name, span_str(folder->suffix)))
        return 0;
    struct rules_file *file = add_entry(files, err);
    if (file == NULL)
        return -1;
    file->path = arena_printf(files->arena, "%s/%s%s", dir, folder->name, base).ptr;
    file->name = arena_printf(files->arena, "%s%s", folder->name, base);
    if (file->path == NULL || file->name.ptr == NULL)
        return no_memory(err);
    if (load_file(files, file, err) != 0)
        return -1;
    files->count++;
    return 0;
}

static int read_folder(struct rules_files *files, const char *dir, const struct folder *folder,
                       struct err *err)
{
    const char *path = arena_printf(files->arena, "%s/%s", dir, folder->name).ptr;
    if (path == NULL)
        return no_memory(err);
    DIR *handle = opendir(path);
    if (handle == NULL) {
        if (errno == ENOENT && !folder->required)
            return 0;
        return err_set(err, ERR_IO,
                       "%s: cannot be opened: %s; give the folder that holds the rule set", path,
                       strerror(errno));
    }
    int done = 0;
    for (struct dirent *entry; done == 0 && (entry = readdir(handle)) != NULL;)
        done = take_name(files, dir, folder, entry->d_name, err);
    closedir(handle);
    return done;
}

static int by_name(const void *a, const void *b)
{
    return span_cmp(((const struct rules_file *)a)->name, ((const struct rules_file *)b)->name);
}

int rules_files_read(struct rules_files *files, const char *dir, struct err *err)
{
    *files = (struct rules_files){.arena = arena_new(FILES_ARENA_BYTES)};
    if (files->arena == NULL)
        return no_memory(err);
    for (size_t i = 0; i < FOLDERS; i++)
        if (read_folder(files, dir, &folders[i], err) != 0)
            return -1;
    if (files->count > 1)
        qsort(files->list, files->count, sizeof *files->list, by_name);
    return 0;
}

void rules_files_free(struct rules_files *files)
{
    mem_free(files->list);
    arena_free(&files->arena);
    *files = (struct rules_files){0};
}

const struct rules_file *rules_files_find(const struct rules_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++)
        if (span_eq(files->list[i].name, span_str(name)))
            return &files->list[i];
    return NULL;
}

void rules_files_id(const struct rules_files *files, uint64_t seed, char out[RULES_ID_BYTES])
{
    uint64_t id = seed;
    for (size_t i = 0; i < files->count; i++) {
        id = hash64(files->list[i].name, id);
        id = hash64(files->list[i].text, id);
    }
    snprintf(out, RULES_ID_BYTES, "%016" PRIx64, id);
}
