/*
 * Duty, with a Redis of its own and a clock that shows a night: what Redis says becomes the load,
 * and who is off shift is counted and told once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/app/duty.h"
#include "engine/app/redis_child.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/metric.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 15000 };

static const char directory_text[] =
    "street: {id: dj, name: 大井街道, triage: t-1}\n"
    "communities:\n"
    "  - id: sanjing\n"
    "    name: 三井社区\n"
    "    station: s-1\n"
    "    grids:\n"
    "      - {id: sj-01, name: 三井社区第一网格, a: g-1}\n"
    "      - {id: sj-02, name: 三井社区第二网格, a: g-2}\n"
    "workers:\n"
    "  - {id: t-1, name: 甲, community: dj, shifts: [mon-fri 08:00-22:00]}\n"
    "  - {id: s-1, name: 乙, community: sanjing}\n"
    "  - {id: g-1, name: 丙, community: sanjing, shifts: [mon-fri 08:00-18:00]}\n"
    "  - {id: g-2, name: 丁, community: sanjing}\n";

static char dir[] = "/tmp/jiesu-duty-XXXXXX";
static struct policy *policy;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

/* The repository's rules, with a directory of this test's. */
static void make_rules(void)
{
    char from[PATH_MAX], to[PATH_MAX], here[PATH_MAX / 2];
    assert_non_null(mkdtemp(dir));
    assert_non_null(getcwd(here, sizeof here));
    DIR *rules = opendir("rules");
    assert_non_null(rules);
    for (struct dirent *entry; (entry = readdir(rules)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "directory") == 0)
            continue;
        (void)snprintf(from, sizeof from, "%s/rules/%s", here, entry->d_name);
        (void)snprintf(to, sizeof to, "%s/%s", dir, entry->d_name);
        assert_int_equal(symlink(from, to), 0);
    }
    closedir(rules);
    (void)snprintf(to, sizeof to, "%s/directory", dir);
    assert_int_equal(mkdir(to, 0700), 0);
    (void)snprintf(to, sizeof to, "%s/directory/d.yaml", dir);
    FILE *file = fopen(to, "w");
    assert_non_null(file);
    assert_true(fputs(directory_text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

struct life {
    uv_loop_t loop;
    uv_timer_t step;
    struct redis_child *child;
    struct redis *redis;
    struct load *load;
    struct duty *duty;
    bool ready, stopped;
};

static struct policy *current(void *ctx)
{
    (void)ctx;
    return policy_ref(policy);
}

static void on_ready(void *ctx, struct span fingerprint)
{
    (void)fingerprint;
    ((struct life *)ctx)->ready = true;
}

static void on_stopped(void *ctx)
{
    struct life *life = ctx;
    life->stopped = true;
    redis_child_free(&life->child);
}

static void on_step(uv_timer_t *timer)
{
    (void)timer;
}

#define run_until(life, condition)                                    \
    do {                                                              \
        const int64_t since = clock_steady_ms();                      \
        while (!(condition)) {                                        \
            uv_run(&(life)->loop, UV_RUN_ONCE);                       \
            if (clock_steady_ms() - since > PATIENCE_MS)              \
                fail_msg("%s did not come true in time", #condition); \
        }                                                             \
    } while (0)

static void on_set(void *ctx, const struct reply *reply, const struct err *err)
{
    (void)ctx;
    (void)reply;
    assert_null(err);
}

static void set(struct life *life, const char *key, const char *worker, const char *value)
{
    const struct span argv[] = {SPAN("HSET"), span_str(key), span_str(worker), span_str(value)};
    assert_int_equal(redis_command(life->redis, argv[1], 4, argv, on_set, NULL, NULL), 0);
}

static int64_t open_of(const struct life *life, const char *worker)
{
    return load_get(life->load, span_str(worker)).open;
}

static void begin(struct life *life)
{
    struct err err = {0};
    struct redis_options client = {.on_ready = on_ready, .ctx = life};
    assert_int_equal(uv_loop_init(&life->loop), 0);
    assert_int_equal(uv_timer_init(&life->loop, &life->step), 0);
    assert_int_equal(uv_timer_start(&life->step, on_step, 10, 10), 0);
    life->child = redis_child_start(&life->loop, dir, NULL, &err);
    if (life->child == NULL)
        fail_msg("%s", err.text);
    redis_child_target(life->child, &client.target);
    life->redis = redis_new(&life->loop, &client, NULL);
    life->load = load_new();
    assert_true(life->redis != NULL && life->load != NULL);
    const struct duty_options options = {
        .loop = &life->loop, .target = client.target, .load = life->load, .policy = current};
    life->duty = duty_start(&options, &err);
    assert_non_null(life->duty);
    run_until(life, life->ready);
}

static void end(struct life *life)
{
    duty_close(&life->duty);
    assert_null(life->duty);
    redis_close(&life->redis);
    redis_child_stop(life->child, on_stopped, life);
    run_until(life, life->stopped);
    uv_close((uv_handle_t *)&life->step, NULL);
    (void)uv_run(&life->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&life->loop), 0);
    load_free(&life->load);
}

static int times(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static void the_load_is_what_redis_says(void **state)
{
    (void)state;
    struct life life = {0};
    begin(&life);
    set(&life, "jiesu:{sanjing}:open", "g-1", "3");
    set(&life, "jiesu:{sanjing}:idle", "g-1", "1772409600000");
    set(&life, "jiesu:{sanjing}:open", "t-1", "2");
    set(&life, "jiesu:{dj}:open", "t-1", "5");
    run_until(&life, open_of(&life, "t-1") == 7 && open_of(&life, "g-1") == 3);
    assert_true(load_get(life.load, SPAN("g-1")).last_at == 1772409600000);
    /* What is given out counts at once, and until Redis has been asked again. */
    load_add(life.load, SPAN("g-1"), (struct load_of){.open = 1});
    assert_int_equal(open_of(&life, "g-1"), 4);
    run_until(&life, open_of(&life, "g-1") == 3);
    set(&life, "jiesu:{sanjing}:open", "g-1", "0");
    run_until(&life, open_of(&life, "g-1") == 0);
    end(&life);
}

/* Monday night: the triage and the first grid have nobody. Then comes the morning. */
static void who_is_off_shift_is_told_once(void **state)
{
    (void)state;
    struct life life = {0};
    char text[8192] = "";
    FILE *log = tmpfile();
    assert_non_null(log);
    log_set_fd(fileno(log));
    clock_run_fast(2, clock_real_ms(), 1772467200000); /* 2026-03-03T00:00:00+08:00 */
    begin(&life);
    run_until(&life, metric_get(METRIC_UNSTAFFED_GRIDS) == 1);
    assert_int_equal(metric_get(METRIC_UNSTAFFED_DESKS), 1);
    int64_t later = clock_steady_ms() + 350;
    run_until(&life, clock_steady_ms() > later);
    clock_run_fast(2, clock_real_ms(), 1772499600000); /* 09:00 */
    run_until(&life, metric_get(METRIC_UNSTAFFED_GRIDS) == 0);
    assert_int_equal(metric_get(METRIC_UNSTAFFED_DESKS), 0);
    clock_run_fast(2, clock_real_ms(), 1772535600000); /* 19:00 */
    run_until(&life, metric_get(METRIC_UNSTAFFED_GRIDS) == 1);
    assert_int_equal(metric_get(METRIC_UNSTAFFED_DESKS), 0);
    end(&life);
    log_set_fd(2);
    rewind(log);
    const size_t len = fread(text, 1, sizeof text - 1, log);
    text[len] = '\0';
    (void)fclose(log);
    assert_int_equal(times(text, "nobody_on_shift"), 3);
    assert_int_equal(times(text, "\"place\":\"grid\",\"id\":\"sj-01\""), 2);
    assert_int_equal(times(text, "\"place\":\"desk\",\"id\":\"dj\""), 1);
    assert_int_equal(times(text, "\"event\":\"on_shift_again\",\"places\":2"), 1);
}

static int setup(void **state)
{
    struct err err = {0};
    (void)state;
    make_rules();
    policy = policy_load(dir, &err);
    if (policy == NULL)
        print_error("%s\n", err.text);
    clock_run_fast(2, clock_real_ms(), 1772416800000); /* 2026-03-02T10:00:00+08:00, a Monday */
    return policy == NULL || metric_init() < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    policy_unref(&policy);
    metric_free();
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_load_is_what_redis_says),
        cmocka_unit_test(who_is_off_shift_is_told_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
