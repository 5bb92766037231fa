#include "tests/model/support.h"

#include "engine/base/clock.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder folder_new(void)
{
    struct folder folder = {"/tmp/jiesu-model-XXXXXX"};
    assert_non_null(mkdtemp(folder.path));
    return folder;
}

const char *folder_path(const struct folder *folder, const char *name)
{
    static char path[256];
    int len = snprintf(path, sizeof path, "%s/%s", folder->path, name);
    assert_in_range(len, 1, sizeof path - 1);
    return path;
}

void folder_write(const struct folder *folder, const char *name, const char *text)
{
    const char *slash = strchr(name, '/');
    if (slash != NULL) {
        char sub[64];
        snprintf(sub, sizeof sub, "%.*s", (int)(slash - name), name);
        mkdir(folder_path(folder, sub), 0700);
    }
    FILE *file = fopen(folder_path(folder, name), "w");
    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void folder_remove(struct folder *folder)
{
    assert_int_equal(nftw(folder->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int64_t at(const char *text)
{
    char rfc3339[64];
    int64_t ms;
    snprintf(rfc3339, sizeof rfc3339, "%.10sT%s:00+08:00", text, text + 11);
    if (clock_parse(span_str(rfc3339), &ms) != 0)
        fail_msg("the test's own time '%s' is wrong", text);
    return ms;
}

void assert_span_at(struct span span, const char *text, const char *file, int line)
{
    if (span_eq(span, span_str(text)))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", SPAN_ARG(span), text);
    _fail(file, line);
}

void assert_contains_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) != NULL)
        return;
    print_error("\"%s\" does not contain \"%s\"\n", text, part);
    _fail(file, line);
}

const char sample_directory[] =
    "street: {id: wy, name: 望月街道, triage: w-wy, aliases: [望月街道办]}\n"
    "communities:\n"
    "  - id: bihu\n"
    "    name: 碧湖社区\n"
    "    aliases: [碧湖居委会, 金帆小区居委会, 碧湖小区服务站]\n"
    "    station: w-bh\n"
    "    grids:\n"
    "      - id: bihu-01\n"
    "        name: 碧湖社区第一网格\n"
    "        aliases: [碧湖花园, 湖滨路1号院, ABC公寓]\n"
    "        polygon: [[28.20, 112.90], [28.20, 112.92], [28.22, 112.92], [28.22, 112.90]]\n"
    "        a: w-b1\n"
    "        b: w-b2\n"
    "        leader: w-b2\n"
    "      - id: bihu-02\n"
    "        name: 碧湖社区第二网格\n"
    "        aliases: [碧湖花园二期, 金帆小区, 小区服务站]\n"
    "        polygon: [[28.20, 112.92], [28.20, 112.94], [28.22, 112.94], [28.22, 112.92]]\n"
    "        a: w-b2\n"
    "  - id: qf\n"
    "    name: 青枫社区\n"
    "    station: w-qf\n"
    "    grids:\n"
    "      - id: qf-01\n"
    "        name: 青枫社区第一网格\n"
    "        aliases: [青枫苑, 枫叶路菜市场]\n"
    "        a: w-q1\n"
    "        b: w-q2\n"
    "      - id: qf-02\n"
    "        name: 青枫社区第二网格\n"
    "        aliases: [枫叶路]\n"
    "        polygon: [[28.22, 112.90], [28.22, 112.92], [28.24, 112.92], [28.24, 112.90]]\n"
    "        a: w-q2\n"
    "workers:\n"
    "  - {id: w-wy, name: 赵一, community: wy}\n"
    "  - {id: w-bh, name: 钱二, community: bihu}\n"
    "  - {id: w-b1, name: 孙三, community: bihu, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: w-b2, name: 李四, community: bihu, shifts: [mon-fri 18:00-23:00, sat-sun "
    "09:00-17:00]}\n"
    "  - {id: w-qf, name: 周五, community: qf}\n"
    "  - {id: w-q1, name: 吴六, community: qf, shifts: [mon-sun 20:00-08:00]}\n"
    "  - {id: w-q2, name: 郑七, community: qf}\n";

const char second_directory[] =
    "street: {id: xs, name: 新沙街道, triage: w-xs}\n"
    "communities:\n"
    "  - id: hexi\n"
    "    name: 河西社区\n"
    "    station: w-hx\n"
    "    grids:\n"
    "      - {id: hexi-01, name: 河西社区第一网格, aliases: [沙洲里], a: w-hx}\n"
    "workers:\n"
    "  - {id: w-xs, name: 王八, community: xs}\n"
    "  - {id: w-hx, name: 冯九, community: hexi}\n";

const char sample_sla[] = "default: ordinary\n"
                          "classes:\n"
                          "  - {name: ordinary, title: 一般诉求, respond: 15min, resolve: 24h}\n"
                          "  - {name: emergency, respond: 15min, arrive: 30min, resolve: 24h}\n"
                          "  - {name: disaster, arrive: 5min, report: 15min, resolve: 2d}\n"
                          "  - {name: service, respond: 15min, resolve: 5wd}\n"
                          "  - {name: dispute, respond: 15min, resolve: 24h}\n"
                          "  - {name: council, respond: 15min, resolve: 3wd}\n"
                          "  - {name: complex, respond: 15min, resolve: 5wd}\n";

const char sample_process[] =
    "returns: {most: 2}\n"
    "reopen: {days: 7, resolve_hours: 24}\n"
    "extension: {days: 15}\n"
    "capacity: {open: 30}\n"
    "handover: {turns: 3}\n"
    "warnings: {blue: 0.5, yellow: 0.8, red: 1}\n"
    "tell: {blue: [holder], yellow: [holder, leader], red: [holder, leader, head]}\n"
    "escalation: [{from: dispute, to: council, at: station}, "
    "{from: council, to: complex, at: street}]\n"
    "reasons:\n"
    "  return: [{code: not_mine, title: 不归我}, {code: busy, title: 忙不过来}]\n"
    "  extend: [{code: parts, title: 等备件}]\n";

const char sample_targets[] = "first_response_minutes: 15\n"
                              "orders_in_time: 98\n"
                              "safety: {in_time: 95, classes: [emergency, disaster]}\n"
                              "disputes: {settled: 90, categories: [城乡建设/供水]}\n"
                              "satisfaction: {from_stars: 4, special_groups: 95, all: 85}\n";

const char sample_calendar[] =
    "years:\n"
    "  2025:\n"
    "    published: true\n"
    "    source: 国务院办公厅\n"
    "    holidays: [2025-01-01, 2025-01-28..2025-02-04, 2025-10-01..2025-10-08]\n"
    "    workdays: [2025-01-26, 2025-02-08]\n"
    "  2026:\n"
    "    published: false\n";

void folder_write_rules(const struct folder *folder)
{
    folder_write(folder, "sla.yaml", sample_sla);
    folder_write(folder, "calendar.yaml", sample_calendar);
    folder_write(folder, "process.yaml", sample_process);
    folder_write(folder, "targets.yaml", sample_targets);
    folder_write(folder, "review.yaml", "min_score: 3\nmin_margin: 0.15\n");
    folder_write(folder, "kinds.yaml",
                 "default: complaint\n"
                 "rules:\n"
                 "  - kind: enquiry\n"
                 "    keywords: {3: [请问]}\n");
    folder_write(folder, "tags.yaml",
                 "rules:\n"
                 "  - {tag: special_group, name: 特殊群体, keywords: [独居老人]}\n"
                 "  - {tag: night, name: 夜间, keywords: [凌晨]}\n");
    folder_write(folder, "urgency.yaml",
                 "default: blue\n"
                 "rules:\n"
                 "  - {level: red, sla: emergency, keywords: [着火了]}\n"
                 "  - {level: yellow, keywords: [停水三天]}\n");
    folder_write(folder, "categories/chengjian.yaml",
                 "category: 城乡建设\n"
                 "department: 住建局\n"
                 "rules:\n"
                 "  - path: 供水\n"
                 "    sla: service\n"
                 "    department: 水务局\n"
                 "    keywords: {4: [停水, 自来水]}\n"
                 "  - path: 园林绿化环卫\n"
                 "    keywords: {4: [垃圾]}\n");
    folder_write(folder, "directory/wangyue.yaml", sample_directory);
}
