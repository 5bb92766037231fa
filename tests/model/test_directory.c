#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/model/directory.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct folder folder;
static struct directory *sample; /* both streets */

static int group_setup(void **state)
{
    (void)state;
    struct err err;
    folder = folder_new();
    folder_write(&folder, "both/a.yaml", sample_directory);
    folder_write(&folder, "both/b.yaml", second_directory);
    folder_write(&folder, "both/.hidden.yaml", "not: read\n");
    folder_write(&folder, "both/README.md", "not read\n");
    sample = directory_load(folder_path(&folder, "both"), &err);
    if (sample == NULL)
        print_error("%s\n", err.text);
    return sample == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
    (void)state;
    directory_free(&sample);
    folder_remove(&folder);
    return 0;
}

/* What a complaint says of its place. Times: 2025-03-03 is a Monday. */
struct place {
    const char *grid, *community, *address, *title, *text, *at;
    bool has_point;
    double lat, lon;
};

static struct route route_of(const struct directory *directory, const struct place *place)
{
    struct text text = {0};
    struct err err;
    assert_int_equal(text_set(&text, span_str(place->title), span_str(place->text), &err), 0);
    struct route_query query = {
        .grid = span_str(place->grid),
        .community = span_str(place->community),
        .address = span_str(place->address),
        .has_point = place->has_point,
        .lat = place->lat,
        .lon = place->lon,
        .text = place->title == NULL && place->text == NULL ? NULL : &text,
        .now = at(place->at == NULL ? "2025-03-03 10:00" : place->at),
    };
    struct route route;
    directory_route(directory, &query, &route);
    text_free(&text);
    return route;
}

static void orders_find_their_worker(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        struct place place;
        enum route_reason reason;
        const char *street, *community, *grid, *worker, *post, *matched;
    } rows[] = {
        /* explicit grid; it beats everything */
        {{.grid = "bihu-01"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-01", "w-b1", "A", ""},
        {{.grid = "qf-02", .community = "bihu", .text = "碧湖花园", .has_point = true, .lat = 28.21, .lon = 112.91}, ROUTE_EXPLICIT_GRID, "wy", "qf", "qf-02", "w-q2", "A", ""},
        {{.grid = "hexi-01"}, ROUTE_EXPLICIT_GRID, "xs", "hexi", "hexi-01", "w-hx", "A", ""},
        /* posts: A's shift is Monday to Friday 08:00-18:00, B's 18:00-23:00 and weekends */
        {{.grid = "bihu-01", .at = "2025-03-03 17:59"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-01", "w-b1", "A", ""},
        {{.grid = "bihu-01", .at = "2025-03-03 18:00"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-01", "w-b2", "B", ""},
        {{.grid = "bihu-01", .at = "2025-03-08 10:00"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-01", "w-b2", "B", ""},
        {{.grid = "bihu-01", .at = "2025-03-03 23:30"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-01", "w-b1", "A", ""},
        {{.grid = "bihu-02", .at = "2025-03-03 03:00"}, ROUTE_EXPLICIT_GRID, "wy", "bihu", "bihu-02", "w-b2", "A", ""},
        {{.grid = "qf-01", .at = "2025-03-03 03:00"}, ROUTE_EXPLICIT_GRID, "wy", "qf", "qf-01", "w-q1", "A", ""},
        {{.grid = "qf-01", .at = "2025-03-03 12:00"}, ROUTE_EXPLICIT_GRID, "wy", "qf", "qf-01", "w-q2", "B", ""},
        /* polygon; it beats names */
        {{.has_point = true, .lat = 28.21, .lon = 112.91, .text = "青枫苑"}, ROUTE_POLYGON, "wy", "bihu", "bihu-01", "w-b1", "A", ""},
        {{.has_point = true, .lat = 28.21, .lon = 112.92}, ROUTE_POLYGON, "wy", "bihu", "bihu-02", "w-b2", "A", ""},
        {{.has_point = true, .lat = 28.22, .lon = 112.91}, ROUTE_POLYGON, "wy", "qf", "qf-02", "w-q2", "A", ""},
        {{.has_point = true, .lat = 30, .lon = 100, .text = "青枫苑"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-01", "w-q2", "B", "青枫苑"},
        {{.has_point = false, .lat = 28.21, .lon = 112.91}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
        /* place names */
        {{.text = "我住碧湖花园3栋，楼道没灯"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-01", "w-b1", "A", "碧湖花园"},
        {{.title = "金帆小区停水"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "金帆小区"},
        {{.address = "碧湖社区第二网格"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "碧湖社区第二网格"},
        {{.text = "ａｂｃ公寓的电梯坏了"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-01", "w-b1", "A", "ABC公寓"},
        {{.text = "碧湖花園的燈壞了"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-01", "w-b1", "A", "碧湖花园"},
        {{.text = "沙洲里的路灯"}, ROUTE_PLACE_NAME, "xs", "hexi", "hexi-01", "w-hx", "A", "沙洲里"},
        /* the longest, also when a shorter one lies inside it */
        {{.text = "碧湖花园二期的路灯"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "碧湖花园二期"},
        {{.text = "枫叶路菜市场旁"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-01", "w-q2", "B", "枫叶路菜市场"},
        {{.text = "从碧湖花园到碧湖花园二期"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "碧湖花园二期"},
        {{.address = "枫叶路", .text = "枫叶路菜市场"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-01", "w-q2", "B", "枫叶路菜市场"},
        /* equally long: address, title, text, then the first */
        {{.address = "金帆小区", .title = "碧湖花园", .text = "碧湖花园"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "金帆小区"},
        {{.title = "金帆小区", .text = "碧湖花园"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "金帆小区"},
        {{.text = "金帆小区和碧湖花园"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "金帆小区"},
        {{.text = "碧湖花园和金帆小区"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-01", "w-b1", "A", "碧湖花园"},
        /* no name runs from the title into the text */
        {{.title = "在碧湖", .text = "花园里"}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
        /* a grid's short alias beats a community's longer name */
        {{.text = "碧湖社区的青枫苑"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-01", "w-q2", "B", "青枫苑"},
        {{.address = "碧湖社区", .text = "枫叶路"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-02", "w-q2", "A", "枫叶路"},
        /* communities */
        {{.community = "bihu"}, ROUTE_COMMUNITY, "wy", "bihu", "", "w-bh", "station", ""},
        {{.text = "青枫社区的居民"}, ROUTE_COMMUNITY, "wy", "qf", "", "w-qf", "station", "青枫社区"},
        {{.text = "问了碧湖居委会"}, ROUTE_COMMUNITY, "wy", "bihu", "", "w-bh", "station", "碧湖居委会"},
        {{.text = "望月街道碧湖社区"}, ROUTE_COMMUNITY, "wy", "bihu", "", "w-bh", "station", "碧湖社区"},
        /* a grid's name inside a community's longer one is not meant: at its start, at its end */
        {{.text = "问了金帆小区居委会"}, ROUTE_COMMUNITY, "wy", "bihu", "", "w-bh", "station", "金帆小区居委会"},
        {{.text = "在碧湖小区服务站"}, ROUTE_COMMUNITY, "wy", "bihu", "", "w-bh", "station", "碧湖小区服务站"},
        {{.text = "问了金帆小区居委会，住金帆小区"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-02", "w-b2", "A", "金帆小区"},
        /* a given community: only what lies in it counts */
        {{.community = "bihu", .text = "碧湖花园"}, ROUTE_PLACE_NAME, "wy", "bihu", "bihu-01", "w-b1", "A", "碧湖花园"},
        {{.community = "qf", .text = "碧湖花园"}, ROUTE_COMMUNITY, "wy", "qf", "", "w-qf", "station", ""},
        {{.community = "qf", .text = "碧湖社区"}, ROUTE_COMMUNITY, "wy", "qf", "", "w-qf", "station", ""},
        {{.community = "qf", .text = "青枫社区"}, ROUTE_COMMUNITY, "wy", "qf", "", "w-qf", "station", ""},
        {{.community = "qf", .text = "碧湖花园二期旁的枫叶路"}, ROUTE_PLACE_NAME, "wy", "qf", "qf-02", "w-q2", "A", "枫叶路"},
        {{.community = "qf", .has_point = true, .lat = 28.21, .lon = 112.91}, ROUTE_COMMUNITY, "wy", "qf", "", "w-qf", "station", ""},
        {{.community = "qf", .has_point = true, .lat = 28.23, .lon = 112.91}, ROUTE_POLYGON, "wy", "qf", "qf-02", "w-q2", "A", ""},
        /* streets */
        {{.community = "xs"}, ROUTE_STREET_TRIAGE, "xs", "xs", "", "w-xs", "triage", ""},
        {{.community = "xs", .text = "碧湖花园和沙洲里"}, ROUTE_PLACE_NAME, "xs", "hexi", "hexi-01", "w-hx", "A", "沙洲里"},
        {{.community = "xs", .text = "河西社区"}, ROUTE_COMMUNITY, "xs", "hexi", "", "w-hx", "station", "河西社区"},
        {{.community = "xs", .text = "望月街道"}, ROUTE_STREET_TRIAGE, "xs", "xs", "", "w-xs", "triage", ""},
        {{.text = "新沙街道办事处"}, ROUTE_STREET_TRIAGE, "xs", "xs", "", "w-xs", "triage", "新沙街道"},
        {{.text = "望月街道办"}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", "望月街道办"},
        /* nothing known */
        {{.text = "路灯坏了"}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
        {{.text = NULL}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
        {{.grid = "no-such", .community = "none"}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
        {{.address = "\xFF碧湖花园"}, ROUTE_STREET_TRIAGE, "wy", "wy", "", "w-wy", "triage", ""},
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct route route = route_of(sample, &rows[i].place);
        if (route.reason != rows[i].reason || !span_eq(route.worker, span_str(rows[i].worker)) ||
            !span_eq(route.street, span_str(rows[i].street)) ||
            !span_eq(route.community, span_str(rows[i].community)) ||
            !span_eq(route.grid, span_str(rows[i].grid)) ||
            !span_eq(route.post, span_str(rows[i].post)) ||
            !span_eq(route.matched, span_str(rows[i].matched)))
            fail_msg("row %zu: %s %.*s %.*s %.*s %.*s %.*s '%.*s'", i,
                     route_reason_name(route.reason), SPAN_ARG(route.street),
                     SPAN_ARG(route.community), SPAN_ARG(route.grid), SPAN_ARG(route.worker),
                     SPAN_ARG(route.post), SPAN_ARG(route.matched));
    }
}

static void routes_have_names_for_people(void **state)
{
    (void)state;
    struct route route = route_of(sample, &(struct place){.text = "碧湖花园"});
    assert_span(route.grid_name, "碧湖社区第一网格");
    assert_span(route.worker_name, "孙三");
    route = route_of(sample, &(struct place){.community = "bihu"});
    assert_span(route.grid_name, "碧湖社区");
    assert_span(route.worker_name, "钱二");
    route = route_of(sample, &(struct place){.text = "你好"});
    assert_span(route.grid_name, "望月街道");
    assert_span(route.worker_name, "赵一");
    assert_string_equal(route_reason_name(ROUTE_EXPLICIT_GRID), "explicit_grid");
    assert_string_equal(route_reason_name(ROUTE_STREET_TRIAGE), "street_triage");
}

static void long_addresses(void **state)
{
    (void)state;
    static char address[20000];
    /* U+FDFA becomes 18 characters: the longest address there can be. */
    address[0] = '\0';
    for (int i = 0; i < 190; i++)
        strcat(address, "\xEF\xB7\xBA");
    strcat(address, "碧湖花园");
    struct route route = route_of(sample, &(struct place){.address = address});
    assert_span(route.matched, "碧湖花园");
    for (int i = 0; i < 5000; i++)
        strcat(address, "路");
    route = route_of(sample, &(struct place){.address = address});
    assert_span(route.matched, "碧湖花园");
}

static void many_names(void **state)
{
    (void)state;
    char text[8192] = "金帆小区";
    for (int i = 0; i < 300; i++)
        strcat(text, i % 2 == 0 ? "青枫苑、" : "枫叶路");
    struct route route = route_of(sample, &(struct place){.text = text});
    assert_span(route.matched, "金帆小区");
    strcat(text, "碧湖花园二期");
    route = route_of(sample, &(struct place){.text = text});
    assert_span(route.matched, "碧湖花园二期");
}

static void look_ups(void **state)
{
    (void)state;
    assert_true(directory_has_grid(sample, SPAN("bihu-01")));
    assert_false(directory_has_grid(sample, SPAN("bihu")));
    assert_false(directory_has_grid(sample, SPAN("")));
    assert_false(directory_has_grid(sample, (struct span){0}));
    assert_true(directory_has_community(sample, SPAN("bihu")));
    assert_true(directory_has_community(sample, SPAN("wy")));
    assert_false(directory_has_community(sample, SPAN("bihu-01")));
    assert_span(directory_worker_community(sample, SPAN("w-b1")), "bihu");
    assert_span(directory_worker_community(sample, SPAN("w-wy")), "wy");
    assert_span(directory_worker_community(sample, SPAN("nobody")), "");
    assert_int_equal(directory_worker_count(sample), 9);
    size_t seen = 0;
    for (size_t i = 0; i < 9; i++) {
        struct span worker, community;
        directory_worker_at(sample, i, &worker, &community);
        assert_true(span_eq(community, directory_worker_community(sample, worker)));
        seen += span_eq(worker, SPAN("w-hx"));
    }
    assert_int_equal(seen, 1);
}

/* ---- names against an oracle ---- */

enum { NAMES = 24, LETTERS = 3 };

static const char *const letters[LETTERS] = {"甲", "乙", "丙"};

struct name {
    char text[16]; /* letters as 0, 1, 2 */
    size_t len;
};

static size_t make_names(struct random *random, struct name *names)
{
    size_t count = 0;
    for (int tries = 0; tries < 200 && count < NAMES; tries++) {
        struct name name = {.len = 2 + random_below(random, 5)};
        for (size_t i = 0; i < name.len; i++)
            name.text[i] = (char)random_below(random, LETTERS);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known |= names[i].len == name.len && memcmp(names[i].text, name.text, name.len) == 0;
        if (!known)
            names[count++] = name;
    }
    return count;
}

static void append_letters(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        strcat(out, letters[(size_t)text[i]]);
}

/* A directory whose i-th grid is called by the i-th name. */
static struct directory *make_directory(const struct name *names, size_t count)
{
    char yaml[16384] = "street: {id: s, name: 街道, triage: t}\n"
                       "communities:\n"
                       "  - id: c\n    name: 社区\n    station: w\n    grids:\n";
    for (size_t i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof line, "      - {id: g%zu, a: w, name: ", i);
        strcat(yaml, line);
        append_letters(yaml, names[i].text, names[i].len);
        strcat(yaml, "}\n");
    }
    strcat(yaml, "workers: [{id: t, name: t, community: s}, {id: w, name: w, community: c}]\n");
    folder_write(&folder, "random/a.yaml", yaml);
    struct err err;
    struct directory *directory = directory_load(folder_path(&folder, "random"), &err);
    if (directory == NULL)
        fail_msg("%s", err.text);
    return directory;
}

struct occurrence {
    size_t from, to, name;
};

/* By trying every name at every place, dropping what lies in another, and taking the longest, then
 * first. */
static ptrdiff_t naive_best(const struct name *names, size_t count, const char *text, size_t len)
{
    struct occurrence all[2048];
    size_t found = 0;
    for (size_t from = 0; from < len; from++)
        for (size_t i = 0; i < count; i++)
            if (names[i].len <= len - from && memcmp(text + from, names[i].text, names[i].len) == 0)
                all[found++] = (struct occurrence){from, from + names[i].len, i};
    const struct occurrence *best = NULL;
    for (size_t i = 0; i < found; i++) {
        bool inside = false;
        for (size_t k = 0; k < found; k++)
            inside |= k != i && all[k].from <= all[i].from && all[k].to >= all[i].to;
        if (!inside && (best == NULL || all[i].to - all[i].from > best->to - best->from))
            best = &all[i];
    }
    return best == NULL ? -1 : (ptrdiff_t)best->name;
}

static void property_names_equal_the_naive_search(void **state)
{
    (void)state;
    struct random random = {1949};
    for (int round = 0; round < 40; round++) {
        struct name names[NAMES];
        size_t count = make_names(&random, names);
        struct directory *directory = make_directory(names, count);
        for (int i = 0; i < 50; i++) {
            char text[64], utf8[256] = "";
            size_t len = random_below(&random, 40);
            for (size_t k = 0; k < len; k++)
                text[k] = (char)random_below(&random, LETTERS);
            append_letters(utf8, text, len);
            ptrdiff_t best = naive_best(names, count, text, len);
            struct route route = route_of(directory, &(struct place){.text = utf8});
            char want[32] = "";
            if (best >= 0)
                snprintf(want, sizeof want, "g%td", best);
            assert_span(route.grid, want);
        }
        directory_free(&directory);
    }
}

/* A name of one community inside a longer one of another: the longer hides the shorter, but does
 * not take the order from a given community. */
static void restricted_names_stay_hidden(void **state)
{
    (void)state;
    struct route route =
        route_of(sample, &(struct place){.community = "bihu", .text = "枫叶路菜市场"});
    assert_int_equal(route.reason, ROUTE_COMMUNITY);
    assert_span(route.worker, "w-bh");
}

/* ---- wrong files ---- */

static const char *replaced(const char *text, const char *what, const char *by)
{
    static char out[8192];
    const char *found = strstr(text, what);
    if (found == NULL)
        fail_msg("the sample has no '%s'", what);
    snprintf(out, sizeof out, "%.*s%s%s", (int)(found - text), text, by, found + strlen(what));
    return out;
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what, *by, *message;
    } rows[] = {
        {"street:", "steet:", ":1:1: "},
        {"{id: wy, name: 望月街道, triage: w-wy, aliases: [望月街道办]}", "wy", ":1:9: "},
        {"id: wy, ", "", "id"},
        {"id: wy, ", "id: Wy, ", "'Wy' is no id"},
        {"id: wy, ", "id: wy, chief: w-wy, ", "chief"},
        {", triage: w-wy", "", "triage"},
        {"triage: w-wy", "triage: w-bh", "worker 'w-bh' does not belong to 'wy' but to 'bihu'"},
        {"triage: w-wy", "triage: w-none", ":1:38: there is no worker 'w-none'"},
        {"    station: w-bh\n", "", "station"},
        {"station: w-bh\n", "station: w-q1\n", ":6:14: worker 'w-q1' does not belong to 'bihu'"},
        {"id: qf\n", "id: bihu\n", "id 'bihu' is already used at"},
        {"id: qf\n", "id: wy\n", "id 'wy' is already used at"},
        {"id: qf-01", "id: bihu-01", "grid id 'bihu-01' is already used at"},
        {"{id: w-qf,", "{id: w-bh,", "worker id 'w-bh' is already used at"},
        {"name: 青枫社区\n", "name: 碧湖社区\n", "the name '碧湖社区' is already used at"},
        {"枫叶路菜市场", "碧湖花园", "the name '碧湖花园' is already used at"},
        {"枫叶路菜市场", "青枫社区", "the name '青枫社区' is already used at"},
        {"枫叶路菜市场", "青枫苑", "the name '青枫苑' is already used at"},
        {"枫叶路菜市场", "望月街道", "the name '望月街道' is already used at"},
        {"枫叶路菜市场", "ａｂｃ公寓", "the name 'ａｂｃ公寓' is already used at"},
        {"枫叶路菜市场", "路", ":26:24: a name or alias must have 2 to 32"},
        {"枫叶路菜市场", "一二三四五六七八九十一二三四五六七八九十一二三四五六七八九十一二三",
         "a name or alias must have 2 to 32"},
        {"枫叶路菜市场", "[枫叶路菜市场]", "a name or alias must have 2 to 32"},
        {"aliases: [枫叶路]", "aliases: 枫叶路", ":31:18: "},
        {"        a: w-b1\n", "", "the key \"a\" is missing"},
        {"a: w-b1", "a: w-q1", "worker 'w-q1' does not belong to 'bihu' but to 'qf'"},
        {"a: w-b1", "a: w-b9", "there is no worker 'w-b9'"},
        {"b: w-b2", "b: w-b1", "'w-b1' holds the A post already"},
        {"b: w-b2", "b: w-b9", "there is no worker 'w-b9'"},
        {"leader: w-b2", "leader: w-q2", "worker 'w-q2' does not belong to 'bihu'"},
        {"leader: w-b2", "leader: ''", "leader"},
        {"leader:", "boss:", "boss"},
        {"polygon: [[28.20, 112.90], ", "polygon: 1 #", ":11:18: "},
        {"[28.22, 112.92], [28.22, 112.90]", "", ":11:18: a polygon has 3 to 1000 points, not 2"},
        {"[28.20, 112.90],", "[112.90, 28.20],", ":11:19: a point is [latitude, longitude]"},
        {"[28.20, 112.90],", "[28.20, 181],", "a point is"},
        {"[28.20, 112.90],", "[28.20],", "a point is"},
        {"[28.20, 112.90],", "[28.20, 112.90, 1],", "a point is"},
        {"[28.20, 112.90],", "[a, b],", "a point is"},
        {"[28.20, 112.90],", "[nan, nan],", "a point is"},
        {"[28.22, 112.92], [28.22, 112.90]", "[28.20, 112.99]", "encloses nothing"},
        {"community: qf,", "community: none,", "there is no community or street 'none'"},
        {"community: qf,", "community: qf-01,", "there is no community or street 'qf-01'"},
        {", community: wy}", "}", "community"},
        {"name: 赵一, ", "", "name"},
        {"name: 赵一, ", "name: 赵一, phone: 1, ", "phone"},
        {"mon-fri 08:00-18:00", "mon-fri 8:00-18:00", "'mon-fri 8:00-18:00' is no shift"},
        {"shifts: [mon-fri 08:00-18:00]", "shifts: []", "shifts is a list of 1 to 21"},
        {"shifts: [mon-fri 08:00-18:00]", "shifts: mon", "shifts is a list of 1 to 21"},
        {"shifts: [mon-fri 08:00-18:00]", "shifts: [[mon]]", "is no shift"},
        {"workers:\n", "workers: 1\nw:\n", "w"},
        {"    grids:\n", "    grids: 1\n    gr:\n", "gr"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        folder_write(&folder, "wrong/a.yaml", replaced(sample_directory, rows[i].what, rows[i].by));
        struct err err = {0};
        struct directory *directory = directory_load(folder_path(&folder, "wrong"), &err);
        if (directory != NULL)
            fail_msg("row %zu was taken: '%s' for '%s'", i, rows[i].by, rows[i].what);
        assert_contains(err.text, "wrong/a.yaml:");
        assert_contains(err.text, rows[i].message);
    }
}

static void missing_parts_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "street: {id: a, name: 街道, triage: w}\n",
        "street: {id: a, name: 街道, triage: w}\ncommunities: []\n",
        "communities: []\nworkers: []\n",
        "street: {id: a, name: 街道, triage: w}\ncommunities: {}\nworkers: []\n",
        "street: {id: a, name: 街道, triage: w}\ncommunities: []\nworkers: {}\n",
        "street: {id: a, name: 街道, triage: w}\ncommunities: []\nworkers: []\n",
        "[]\n",
    };
    struct err err;
    for (size_t i = 0; i < COUNT(rows); i++) {
        folder_write(&folder, "wrong/a.yaml", rows[i]);
        err = (struct err){0};
        assert_null(directory_load(folder_path(&folder, "wrong"), &err));
        assert_contains(err.text, "wrong/a.yaml:");
    }
    /* The smallest one there is. */
    folder_write(&folder, "small/a.yaml",
                 "street: {id: a, name: 街道, triage: w}\ncommunities: []\n"
                 "workers: [{id: w, name: w, community: a}]\n");
    struct directory *small = directory_load(folder_path(&folder, "small"), &err);
    assert_non_null(small);
    assert_span(route_of(small, &(struct place){.text = "街道"}).worker, "w");
    directory_free(&small);
    assert_null(small);
    directory_free(&small);
}

static void duplicates_name_both_places(void **state)
{
    (void)state;
    struct err err = {0};
    folder_write(&folder, "twice/b.yaml", second_directory);
    folder_write(&folder, "twice/a.yaml",
                 replaced(second_directory, "street: {id: xs", "street: {id: xt"));
    assert_null(directory_load(folder_path(&folder, "twice"), &err));
    assert_contains(err.text, "twice/b.yaml:3:9: ");
    assert_contains(err.text, "twice/a.yaml:3:9; ");

    folder_write(&folder, "names/a.yaml", sample_directory);
    folder_write(&folder, "names/b.yaml", replaced(second_directory, "沙洲里", "青枫苑"));
    assert_null(directory_load(folder_path(&folder, "names"), &err));
    assert_contains(err.text, "names/b.yaml:7:49: ");
    assert_contains(err.text, "names/a.yaml:26:19; ");
}

static void folders(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(directory_load(folder_path(&folder, "absent"), &err));
    assert_int_equal(err.code, ERR_IO);
    folder_write(&folder, "empty/notes.txt", "");
    assert_null(directory_load(folder_path(&folder, "empty"), &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_contains(err.text, "holds 0 *.yaml files");
    assert_null(directory_load(folder_path(&folder, "empty"), NULL));
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s", folder_path(&folder, "both"));
    uint64_t n = 1;
    for (;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct directory *directory = directory_load(path, &err);
        uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (directory == NULL) {
            assert_int_equal(err.code, ERR_NOMEM);
            continue;
        }
        assert_span(route_of(directory, &(struct place){.text = "沙洲里"}).worker, "w-hx");
        directory_free(&directory);
        assert_true(asked < n);
        break;
    }
    assert_true(n > 20);
}

static void the_sample_of_rules(void **state)
{
    (void)state;
    struct err err;
    struct directory *directory = directory_load("rules/directory", &err);
    if (directory == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(directory_worker_count(directory), 40);
    size_t grids = 0, communities = 0;
    struct span seen[64];
    for (size_t i = 0; i < 40; i++) {
        struct span worker, community;
        directory_worker_at(directory, i, &worker, &community);
        bool known = false;
        for (size_t k = 0; k < communities; k++)
            known |= span_eq(seen[k], community);
        if (!known)
            seen[communities++] = community;
    }
    assert_int_equal(communities, 5); /* four, and the street */
    for (size_t i = 0; i < communities; i++)
        for (int g = 1; g < 100; g++) {
            char grid[80];
            snprintf(grid, sizeof grid, "%.*s-%02d", SPAN_ARG(seen[i]), g);
            grids += directory_has_grid(directory, span_str(grid));
        }
    assert_int_equal(grids, 16);
    struct route route = route_of(directory, &(struct place){.text = "碧湖花园3栋"});
    assert_int_equal(route.reason, ROUTE_PLACE_NAME);
    assert_span(route.grid, "bihu-01");
    route = route_of(directory, &(struct place){.has_point = true, .lat = 28.2295, .lon = 112.938});
    assert_int_equal(route.reason, ROUTE_POLYGON);
    assert_span(route.grid, "bihu-01");
    directory_free(&directory);
}

static void offices(void **state)
{
    (void)state;
    static const struct {
        const char *worker, *community;
        enum directory_office office;
    } rows[] = {
        {"w-b1", "bihu", OFFICE_MEMBER},  {"w-b2", "bihu", OFFICE_LEADER},
        {"w-bh", "bihu", OFFICE_HEAD},    {"w-wy", "bihu", OFFICE_HEAD},
        {"w-b1", "qf", OFFICE_NONE},      {"w-bh", "qf", OFFICE_NONE},
        {"w-q1", "qf", OFFICE_MEMBER},    {"w-wy", "wy", OFFICE_HEAD},
        {"w-b1", "wy", OFFICE_NONE},      {"nobody", "bihu", OFFICE_NONE},
        {"w-b1", "nowhere", OFFICE_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(
            directory_office(sample, span_str(rows[i].worker), span_str(rows[i].community)),
            rows[i].office);
}

/* Whose turn it is, each once: A, B, the leader (who is B here), the head. */
static void posts(void **state)
{
    (void)state;
    static const struct {
        const char *grid, *community, *posts[DIRECTORY_POSTS];
    } rows[] = {
        {"bihu-01", "", {"w-b1", "w-b2", "w-bh"}},
        {"bihu-02", "", {"w-b2", "w-bh"}},
        {"qf-01", "", {"w-q1", "w-q2", "w-qf"}},
        {"", "qf", {"w-qf"}},
        {"", "wy", {"w-wy"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct route_query query = {.grid = span_str(rows[i].grid),
                                    .community = span_str(rows[i].community),
                                    .now = at("2025-03-03 10:00")};
        struct route route;
        directory_route(sample, &query, &route);
        for (size_t n = 0; n < DIRECTORY_POSTS; n++) {
            if (rows[i].posts[n] != NULL)
                assert_span(route.posts[n], rows[i].posts[n]);
            else
                assert_true(n >= route.post_count);
        }
    }
}

/* Beside the posts: who leads, who heads, who of the street has the duty, who is on shift. */
static void people_of_a_place(void **state)
{
    (void)state;
    const int64_t day = at("2025-03-03 10:00"), evening = at("2025-03-03 19:00");
    assert_true(directory_on_duty(sample, SPAN("w-b1"), day));
    assert_false(directory_on_duty(sample, SPAN("w-b1"), evening));
    assert_true(directory_on_duty(sample, SPAN("w-bh"), evening)); /* has no shifts: always */
    assert_false(directory_on_duty(sample, SPAN("w-nobody"), day));
    assert_span(directory_head(sample, SPAN("bihu")), "w-bh");
    assert_span(directory_head(sample, SPAN("wy")), "w-wy");
    assert_span(directory_head(sample, SPAN("hexi")), "w-hx");
    assert_span(directory_head(sample, SPAN("nowhere")), "");
    assert_span(directory_triage(sample, SPAN("bihu"), day), "w-wy");
    assert_span(directory_triage(sample, SPAN("wy"), day), "w-wy");
    assert_span(directory_triage(sample, SPAN("hexi"), day), "w-xs");
    assert_span(directory_triage(sample, SPAN("nowhere"), day), "");
    assert_span(directory_leader(sample, SPAN("bihu-01")), "w-b2");
    assert_span(directory_leader(sample, SPAN("bihu-02")), "");
    assert_span(directory_leader(sample, SPAN("bihu")), "");
}

/* A list of names, each behind a space. */
static void add_worker(void *ctx, struct span worker)
{
    char *list = ctx;
    const size_t len = strlen(list);
    assert_true(len < 90);
    snprintf(list + len, 100 - len, " %.*s", SPAN_ARG(worker));
}

/* Who may take a leader's steps and is on shift: the leader w-b2 in the evening only. */
static void leaders_on_duty(void **state)
{
    (void)state;
    static const struct {
        const char *community, *at, *workers;
    } rows[] = {
        {"bihu", "2025-03-03 10:00", " w-bh w-wy"}, {"bihu", "2025-03-03 19:00", " w-bh w-wy w-b2"},
        {"wy", "2025-03-03 19:00", " w-wy w-wy"},   {"hexi", "2025-03-03 10:00", " w-hx w-xs"},
        {"nowhere", "2025-03-03 10:00", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char list[100] = "";
        directory_leaders_on_duty(sample, span_str(rows[i].community), at(rows[i].at), add_worker,
                                  list);
        assert_string_equal(list, rows[i].workers);
    }
    assert_span(directory_street_head(sample, SPAN("bihu")), "w-wy");
    assert_span(directory_street_head(sample, SPAN("xs")), "w-xs");
    assert_span(directory_street_head(sample, SPAN("nowhere")), "");
}

/* Of a street's triage, who is on shift. */
static void triage_on_shift(void **state)
{
    (void)state;
    folder_write(&folder, "shifts/a.yaml",
                 "street: {id: s, name: 某街道, triage: t1}\n"
                 "communities:\n"
                 "  - id: c\n"
                 "    name: 某社区\n"
                 "    station: h\n"
                 "    grids:\n"
                 "      - {id: g, name: 某网格, aliases: [某小区], a: h}\n"
                 "workers:\n"
                 "  - {id: h, name: 甲, community: c}\n"
                 "  - {id: t1, name: 乙, community: s, shifts: [mon-fri 08:00-18:00]}\n"
                 "  - {id: t2, name: 丙, community: s, shifts: [mon-fri 09:00-22:00]}\n");
    struct err err;
    struct directory *directory = directory_load(folder_path(&folder, "shifts"), &err);
    if (directory == NULL)
        fail_msg("%s", err.text);
    assert_span(directory_triage(directory, SPAN("c"), at("2025-03-03 10:00")), "t1");
    assert_span(directory_triage(directory, SPAN("c"), at("2025-03-03 19:00")), "t2");
    assert_span(directory_triage(directory, SPAN("c"), at("2025-03-03 23:00")), "t1");
    directory_free(&directory);
}

static void a_route_to_the_head(void **state)
{
    (void)state;
    struct place place = {.grid = "bihu-01", .at = "2025-03-03 10:00", .text = "x"};
    struct route route = route_of(sample, &place);
    assert_span(route.worker, "w-b1");
    const size_t posts_before = route.post_count;
    directory_route_to_head(sample, &route);
    assert_span(route.worker, "w-bh");
    assert_span(route.worker_name, "钱二");
    assert_span(route.post, "station");
    assert_span(route.grid, "bihu-01");
    assert_span(route.posts[0], "w-b1");
    assert_int_equal(route.post_count, posts_before);
    place = (struct place){.community = "wy", .at = "2025-03-03 10:00", .text = "x"};
    route = route_of(sample, &place);
    directory_route_to_head(sample, &route);
    assert_span(route.worker, "w-wy");
    assert_span(route.post, "triage");
}

static const char desk_directory[] =
    "street: {id: dj, name: 大井街道, triage: t-1}\n"
    "communities:\n"
    "  - id: sanjing\n"
    "    name: 三井社区\n"
    "    station: s-1\n"
    "    grids:\n"
    "      - {id: sj-01, name: 三井社区第一网格, a: g-1, b: g-2, leader: g-3}\n"
    "      - {id: sj-02, name: 三井社区第二网格, a: g-4}\n"
    "workers:\n"
    "  - {id: t-2, name: 甲, community: dj, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: t-1, name: 乙, community: dj, shifts: [mon-fri 08:00-22:00]}\n"
    "  - {id: t-3, name: 丙, community: dj, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: s-1, name: 丁, community: sanjing}\n"
    "  - {id: s-2, name: 戊, community: sanjing, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: g-1, name: 己, community: sanjing, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: g-2, name: 庚, community: sanjing, shifts: [mon-fri 12:00-22:00]}\n"
    "  - {id: g-3, name: 辛, community: sanjing}\n"
    "  - {id: g-4, name: 壬, community: sanjing, shifts: [mon-fri 08:00-18:00]}\n";

static struct directory *load_desks(void)
{
    struct err err;
    struct folder own = folder_new();
    folder_write(&own, "d.yaml", desk_directory);
    struct directory *directory = directory_load(own.path, &err);
    if (directory == NULL)
        fail_msg("%s", err.text);
    folder_remove(&own);
    return directory;
}

/* Who gets the order when these have so many, the last at such a time. */
static void orders_are_balanced(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *at, *grid, *community;
        struct { const char *worker; struct load_of of; } has[4];
        const char *worker, *post;
    } rows[] = {
        /* triage: nobody has any: the one named; off shift does not count */
        {"2025-03-03 10:00", "", "dj", {{"", {0}}}, "t-1", "triage"},
        {"2025-03-03 10:00", "", "dj", {{"t-1", {1, 5}}}, "t-2", "triage"},
        {"2025-03-03 10:00", "", "dj", {{"t-1", {1, 5}}, {"t-2", {0, 9}}}, "t-3", "triage"},
        {"2025-03-03 10:00", "", "dj", {{"t-1", {2, 5}}, {"t-2", {1, 9}}, {"t-3", {1, 8}}}, "t-3", "triage"},
        {"2025-03-03 19:00", "", "dj", {{"t-1", {9, 5}}}, "t-1", "triage"},
        {"2025-03-03 23:00", "", "dj", {{"t-1", {9, 5}}}, "t-1", "triage"},
        /* station: its head and who has no grid; none of the grids' */
        {"2025-03-03 10:00", "", "sanjing", {{"", {0}}}, "s-1", "station"},
        {"2025-03-03 10:00", "", "sanjing", {{"s-1", {1, 1}}}, "s-2", "station"},
        {"2025-03-03 10:00", "", "sanjing", {{"s-1", {1, 1}}, {"s-2", {2, 1}}}, "s-1", "station"},
        {"2025-03-03 19:00", "", "sanjing", {{"s-1", {50, 1}}}, "s-1", "station"},
        /* a grid: B when A is full and B, on shift, is not; full is 5 */
        {"2025-03-03 13:00", "sj-01", "", {{"g-1", {4, 1}}}, "g-1", "A"},
        {"2025-03-03 13:00", "sj-01", "", {{"g-1", {5, 1}}}, "g-2", "B"},
        {"2025-03-03 13:00", "sj-01", "", {{"g-1", {5, 1}}, {"g-2", {4, 1}}}, "g-2", "B"},
        {"2025-03-03 13:00", "sj-01", "", {{"g-1", {9, 1}}, {"g-2", {5, 1}}}, "g-1", "A"},
        {"2025-03-03 09:00", "sj-01", "", {{"g-1", {9, 1}}}, "g-1", "A"},
        {"2025-03-03 19:00", "sj-01", "", {{"g-2", {9, 1}}}, "g-2", "B"},
        {"2025-03-03 13:00", "sj-02", "", {{"g-4", {9, 1}}}, "g-4", "A"},
    };
    /* clang-format on */
    struct directory *directory = load_desks();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct load *load = load_new();
        for (size_t n = 0; n < COUNT(rows[i].has); n++)
            if (rows[i].has[n].worker != NULL)
                load_add(load, span_str(rows[i].has[n].worker), rows[i].has[n].of);
        struct route_query query = {.grid = span_str(rows[i].grid),
                                    .community = span_str(rows[i].community),
                                    .now = at(rows[i].at),
                                    .load = load,
                                    .capacity = 5};
        struct route route;
        directory_route(directory, &query, &route);
        assert_span(route.worker, rows[i].worker);
        assert_span(route.post, rows[i].post);
        /* without a number nobody is ever full */
        query.capacity = 0;
        directory_route(directory, &query, &route);
        if (rows[i].grid[0] != '\0')
            assert_span(route.post, strcmp(rows[i].at, "2025-03-03 19:00") == 0 ? "B" : "A");
        load_free(&load);
    }
    directory_free(&directory);
}

/* The chosen one's turn is first, the head's comes after it. */
static void posts_of_a_desk(void **state)
{
    (void)state;
    struct directory *directory = load_desks();
    struct load *load = load_new();
    load_add(load, SPAN("s-1"), (struct load_of){1, 1});
    const struct route_query query = {
        .community = SPAN("sanjing"), .now = at("2025-03-03 10:00"), .load = load};
    struct route route;
    directory_route(directory, &query, &route);
    assert_int_equal(route.post_count, 2);
    assert_span(route.posts[0], "s-2");
    assert_span(route.posts[1], "s-1");
    load_free(&load);
    directory_free(&directory);
}

static void note_place(void *ctx, struct span id, bool is_grid)
{
    char *out = ctx;
    const size_t len = strlen(out);
    (void)snprintf(out + len, 64 - len, "%s%.*s ", is_grid ? "" : "@", SPAN_ARG(id));
}

static void unstaffed_places_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *at, *places;
    } rows[] = {
        {"2025-03-03 10:00", ""},
        {"2025-03-03 18:00", "sj-02 "},
        {"2025-03-03 22:00", "@dj sj-01 sj-02 "},
        {"2025-03-08 10:00", "@dj sj-01 sj-02 "},
    };
    struct directory *directory = load_desks();
    for (size_t i = 0; i < COUNT(rows); i++) {
        char places[64] = "";
        directory_unstaffed(directory, at(rows[i].at), note_place, places);
        assert_string_equal(places, rows[i].places);
    }
    directory_free(&directory);
}

/* A station's hours are the shifts of those at its desk who have none; of nobody else. */
static void hours_of_a_desk(void **state)
{
    (void)state;
    static const struct {
        const char *worker, *at;
        bool on;
    } rows[] = {
        {"s-1", "2025-03-03 08:29", false}, {"s-1", "2025-03-03 08:30", true},
        {"s-1", "2025-03-03 17:30", false}, {"s-1", "2025-03-08 10:00", false},
        {"s-2", "2025-03-03 08:10", true}, /* has shifts */
        {"g-3", "2025-03-03 03:00", true}, /* leads a grid, and has none */
        {"t-1", "2025-03-03 20:00", true},
    };
    struct err err;
    struct folder own = folder_new();
    folder_write(&own, "d.yaml",
                 replaced(desk_directory, "    station: s-1\n",
                          "    station: s-1\n    hours: [mon-fri 08:30-17:30]\n"));
    struct directory *directory = directory_load(own.path, &err);
    if (directory == NULL)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(directory_on_duty(directory, span_str(rows[i].worker), at(rows[i].at)),
                         rows[i].on);
    char places[64] = "";
    directory_unstaffed(directory, at("2025-03-03 22:00"), note_place, places);
    assert_string_equal(places, "@dj @sanjing sj-01 sj-02 ");
    /* It swallows nothing: out of hours the head gets it all the same. */
    const struct route_query query = {.community = SPAN("sanjing"), .now = at("2025-03-08 10:00")};
    struct route route;
    directory_route(directory, &query, &route);
    assert_span(route.worker, "s-1");
    directory_free(&directory);
    folder_write(&own, "d.yaml",
                 replaced(desk_directory, "triage: t-1}", "triage: t-1, hours: [noon]}"));
    assert_null(directory_load(own.path, &err));
    assert_non_null(strstr(err.text, "'noon' is no shift"));
    folder_remove(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offices),
        cmocka_unit_test(posts),
        cmocka_unit_test(orders_are_balanced),
        cmocka_unit_test(posts_of_a_desk),
        cmocka_unit_test(unstaffed_places_are_found),
        cmocka_unit_test(hours_of_a_desk),
        cmocka_unit_test(orders_find_their_worker),
        cmocka_unit_test(routes_have_names_for_people),
        cmocka_unit_test(long_addresses),
        cmocka_unit_test(many_names),
        cmocka_unit_test(look_ups),
        cmocka_unit_test(people_of_a_place),
        cmocka_unit_test(leaders_on_duty),
        cmocka_unit_test(triage_on_shift),
        cmocka_unit_test(a_route_to_the_head),
        cmocka_unit_test(property_names_equal_the_naive_search),
        cmocka_unit_test(restricted_names_stay_hidden),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(missing_parts_are_refused),
        cmocka_unit_test(duplicates_name_both_places),
        cmocka_unit_test(folders),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_sample_of_rules),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
