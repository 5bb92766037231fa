#include "tests/classifiers/support_rules.h"

#include "classifiers/rules.h"
#include "engine/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {"categories", "directory", "cases", "learned"};
enum { FOLDERS = sizeof folders / sizeof *folders };

void rule_dir_make(struct rule_dir *dir)
{
    char folder[128];
    strcpy(dir->path, "/tmp/jiesu-rules-XXXXXX");
    CHECK(mkdtemp(dir->path) != NULL);
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(folder, sizeof folder, "%s/%s", dir->path, folders[i]);
        CHECK(mkdir(folder, 0700) == 0);
    }
    rule_dir_write(dir, "sla.yaml",
                   "default: ordinary\n"
                   "classes:\n"
                   "  - name: ordinary\n"
                   "    resolve: 24h\n"
                   "  - name: simple\n"
                   "  - name: emergency\n"
                   "  - name: disaster\n");
    rule_dir_write(dir, "urgency.yaml",
                   "default: blue\n"
                   "rules:\n"
                   "  - level: red\n"
                   "    sla: emergency\n"
                   "    keywords: [煤气泄漏]\n");
    rule_dir_write(dir, "kinds.yaml",
                   "default: complaint\n"
                   "rules:\n"
                   "  - kind: enquiry\n"
                   "    keywords:\n"
                   "      3: [请问]\n");
    rule_dir_write(dir, "tags.yaml",
                   "rules:\n"
                   "  - tag: special_group\n"
                   "    name: 特殊群体\n"
                   "    keywords: [独居老人]\n");
    rule_dir_write(dir, "review.yaml", "min_score: 3\nmin_margin: 0.15\n");
    rule_dir_write(dir, "categories/chengxiang.yaml",
                   "category: 城乡建设\n"
                   "department: 住建局\n"
                   "rules:\n"
                   "  - path: 市政管理/环卫\n"
                   "    sla: simple\n"
                   "    department: 城管局\n"
                   "    keywords:\n"
                   "      4: [垃圾清运]\n"
                   "      2: [垃圾]\n");
}

void rule_dir_write(const struct rule_dir *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

void rule_dir_drop(const struct rule_dir *dir, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir->path, name);
    CHECK(unlink(path) == 0);
}

static void remove_files(const char *folder)
{
    DIR *handle = opendir(folder);
    if (handle == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(handle)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_REG)
            unlink(path);
    }
    closedir(handle);
    rmdir(folder);
}

void rule_dir_remove(const struct rule_dir *dir)
{
    for (size_t i = 0; i < FOLDERS; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "%s/%s", dir->path, folders[i]);
        remove_files(folder);
    }
    remove_files(dir->path);
}

static bool refused_well(const struct bad_file *bad)
{
    struct rule_dir dir;
    struct err err = {0};
    char place[256];
    rule_dir_make(&dir);
    rule_dir_write(&dir, bad->file, bad->text);
    struct rules *rules = rules_load(dir.path, &err);
    rule_dir_remove(&dir);
    snprintf(place, sizeof place, "%s/%s", dir.path, bad->place);
    bool good = rules == NULL && strncmp(err.text, place, strlen(place)) == 0 &&
                strstr(err.text, bad->what) != NULL;
    if (!good)
        print_error("expected “%s” at %s, got: %s\n%s", bad->what, bad->place,
                    rules != NULL ? "a rule set" : err.text, bad->text);
    rules_unref(&rules);
    return good;
}

void assert_refused_well(const struct bad_file *files, size_t count)
{
    size_t good = 0;
    for (size_t i = 0; i < count; i++)
        good += refused_well(&files[i]);
    assert_int_equal(good, count);
}
