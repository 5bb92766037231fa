#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/base/metric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct buf out;

static int start(void **state)
{
    (void)state;
    out = (struct buf){0};
    return metric_init();
}

static int stop(void **state)
{
    (void)state;
    metric_reset();
    metric_free();
    buf_free(&out);
    return 0;
}

static const char *written(void)
{
    buf_clear(&out);
    metric_write(&out);
    const char *text = buf_cstr(&out);
    assert_non_null(text);
    return text;
}

/* The lines must stand in the text, and at the beginning of a line. */
static void assert_lines(const char *text, const char *lines)
{
    const char *at = strstr(text, lines);
    if (at == NULL || !(at == text || at[-1] == '\n'))
        fail_msg("missing:\n%s", lines);
}

static void test_known_values(void **state)
{
    (void)state;
    metric_set(METRIC_CONNECTIONS, 12);
    metric_add(METRIC_CONNECTIONS, -2);
    metric_add(METRIC_HTTP_2XX, 5);
    metric_add(METRIC_HTTP_2XX, 2);
    metric_add(METRIC_HTTP_5XX, 1);
    metric_set(METRIC_LONG_POLLS, -3);
    assert_int_equal(metric_get(METRIC_HTTP_2XX), 7);
    const char *text = written();
    assert_lines(text, "# HELP jiesu_http_connections open HTTP connections\n"
                       "# TYPE jiesu_http_connections gauge\n"
                       "jiesu_http_connections 10\n");
    assert_lines(text, "# HELP jiesu_http_responses_total responses\n"
                       "# TYPE jiesu_http_responses_total counter\n"
                       "jiesu_http_responses_total{class=\"2xx\"} 7\n"
                       "jiesu_http_responses_total{class=\"4xx\"} 0\n"
                       "jiesu_http_responses_total{class=\"5xx\"} 1\n");
    assert_lines(text, "jiesu_long_polls -3\n");
    assert_lines(text, "jiesu_limit{name=\"http_head_bytes\",unit=\"bytes\"} 16384\n");
    assert_lines(text, "jiesu_limit{name=\"redis_backoff_min_ms\",unit=\"ms\"} 20\n");
    char build[100];
    snprintf(build, sizeof(build), "jiesu_build_info{version=\"%s\",malloc=\"%s\"} 1\n",
             JIESU_VERSION, mem_allocator());
    assert_lines(text, build);
    metric_reset();
    assert_int_equal(metric_get(METRIC_HTTP_2XX), 0);
}

static void test_known_durations(void **state)
{
    (void)state;
    metric_time(METRIC_HIST_COMMIT, 0);
    metric_time(METRIC_HIST_COMMIT, 500000);
    metric_time(METRIC_HIST_COMMIT, 900000);
    metric_time(METRIC_HIST_COMMIT, 4000000);
    metric_time(METRIC_HIST_COMMIT, 700000001);
    metric_time(METRIC_HIST_COMMIT, UINT64_C(60000000000));
    assert_lines(written(), "# TYPE jiesu_outbox_commit_duration_seconds histogram\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.0005\"} 2\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.001\"} 3\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.0025\"} 3\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.005\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.01\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.025\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.05\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.1\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.25\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"0.5\"} 4\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"1\"} 5\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"2.5\"} 5\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"5\"} 5\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"10\"} 5\n"
                            "jiesu_outbox_commit_duration_seconds_bucket{le=\"+Inf\"} 6\n"
                            "jiesu_outbox_commit_duration_seconds_sum 60.705400001\n"
                            "jiesu_outbox_commit_duration_seconds_count 6\n");
    metric_reset();
    assert_lines(written(), "jiesu_outbox_commit_duration_seconds_sum 0.000000000\n"
                            "jiesu_outbox_commit_duration_seconds_count 0\n");
}

/* Each family has one HELP and one TYPE, and its samples follow them. */
static void test_families_are_whole(void **state)
{
    (void)state;
    written();
    struct span rest = buf_view(&out);
    struct span seen[256];
    size_t families = 0, samples = 0;
    while (rest.len > 0) {
        struct span line = span_cut(&rest, '\n');
        if (span_starts(line, SPAN("# HELP "))) {
            struct span after = span_sub(line, 7, line.len);
            struct span name = span_cut(&after, ' ');
            assert_true(after.len > 0);
            for (size_t i = 0; i < families; i++)
                assert_false(span_eq(seen[i], name));
            seen[families++] = name;
            struct span type = span_cut(&rest, '\n');
            assert_true(span_starts(type, SPAN("# TYPE ")));
            assert_true(span_starts(span_sub(type, 7, type.len), name));
            continue;
        }
        assert_true(families > 0 && span_starts(line, seen[families - 1]));
        struct span value = line;
        while (span_find_char(value, ' ') >= 0)
            span_cut(&value, ' ');
        double number;
        assert_int_equal(span_to_double(value, &number), 0);
        samples++;
    }
    assert_true(families > 30 && samples > 100);
}

static double sample(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    while (at != NULL && (at[-1] != '\n' || at[strlen(name)] != ' '))
        at = strstr(at + 1, name);
    double value;
    assert_non_null(at);
    struct span rest = span_str(at + strlen(name) + 1);
    assert_int_equal(span_to_double(span_cut(&rest, '\n'), &value), 0);
    return value;
}

static void test_process_figures_are_true(void **state)
{
    (void)state;
    const char *text = written();
    double now = (double)clock_now_ms() / 1000;
    double began = sample(text, "process_start_time_seconds");
    double fds = sample(text, "process_open_fds");
    double cpu = sample(text, "process_cpu_seconds_total");
    assert_true(began <= now + 1 && began > now - 300);
    assert_true(sample(text, "process_resident_memory_bytes") > 100000);
    int more[2];
    assert_int_equal(pipe(more), 0);
    uint64_t until = clock_steady_ns() + 20000000;
    while (clock_steady_ns() < until)
        continue;
    text = written();
    assert_true(sample(text, "process_open_fds") == fds + 2);
    assert_true(sample(text, "process_cpu_seconds_total") > cpu);
    assert_true(sample(text, "process_start_time_seconds") == began);
    close(more[0]);
    close(more[1]);
}

static void *count_many(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < 50000; i++) {
        metric_add(METRIC_COMPLAINTS_ACCEPTED, 1);
        metric_time(METRIC_HIST_REQUEST, i * 1000);
    }
    return NULL;
}

static void test_threads_count_while_one_writes(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    double last = 0;
    do {
        const char *text = written();
        double half = sample(text, "jiesu_http_request_duration_seconds_bucket{le=\"0.0005\"}");
        double more = sample(text, "jiesu_http_request_duration_seconds_bucket{le=\"0.025\"}");
        double all = sample(text, "jiesu_http_request_duration_seconds_bucket{le=\"+Inf\"}");
        assert_true(half <= more && more <= all && all >= last);
        assert_true(all == sample(text, "jiesu_http_request_duration_seconds_count"));
        last = all;
    } while (last < 200000);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_get(METRIC_COMPLAINTS_ACCEPTED), 200000);
}

static void test_short_memory(void **state)
{
    (void)state;
    uint64_t n = 1;
    for (;; n++) {
        metric_free();
        mem_fail_at(n);
        int result = metric_init();
        int passed = mem_asked() < n;
        mem_fail_at(0);
        assert_int_equal(result, passed ? 0 : -1);
        metric_add(METRIC_REVIEWS, 1);
        metric_time(METRIC_HIST_CLASSIFY, 1);
        bool shown = strstr(written(), "jiesu_classify_duration_seconds_count 1\n") != NULL;
        assert_int_equal(shown, passed);
        if (passed)
            break;
    }
    assert_int_equal(n, METRIC_HIST_COUNT + 1);
    for (n = 1;; n++) {
        struct buf b = {0};
        mem_fail_at(n);
        metric_write(&b);
        bool passed = mem_asked() < n;
        mem_fail_at(0);
        assert_int_equal(buf_ok(&b), passed);
        buf_free(&b);
        if (passed)
            break;
    }
}

/* promtool reads the text on its stdin, parses it and lints names and types. */
static void test_promtool_accepts_it(void **state)
{
    (void)state;
    if (access("/usr/bin/promtool", X_OK) != 0) {
        print_message("skipped: promtool is not installed (package prometheus)\n");
        skip();
    }
    metric_time(METRIC_HIST_REQUEST, 123456789);
    metric_add(METRIC_HTTP_2XX, 1);
    written();
    FILE *promtool = popen("/usr/bin/promtool check metrics", "w");
    assert_non_null(promtool);
    assert_int_equal(fwrite(out.data, 1, out.len, promtool), out.len);
    assert_int_equal(pclose(promtool), 0);
}

int main(void)
{
#define METRIC_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        METRIC_TEST(test_known_values),
        METRIC_TEST(test_known_durations),
        METRIC_TEST(test_families_are_whole),
        METRIC_TEST(test_process_figures_are_true),
        METRIC_TEST(test_threads_count_while_one_writes),
        METRIC_TEST(test_short_memory),
        METRIC_TEST(test_promtool_accepts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
