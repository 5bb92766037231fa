#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/model/policy.h"
#include "tests/model/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct folder folder;

static int group_setup(void **state)
{
    (void)state;
    folder = folder_new();
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static struct targets *load(const char *text, struct err *err)
{
    folder_write(&folder, "targets.yaml", text);
    return targets_load(folder_path(&folder, "targets.yaml"), err);
}

static void the_sample(void **state)
{
    (void)state;
    struct err err;
    struct targets *targets = load(sample_targets, &err);
    if (targets == NULL)
        fail_msg("%s", err.text);
    assert_true(targets_is_safety(targets, SPAN("城乡建设/供水"), SPAN("emergency")));
    assert_false(targets_is_safety(targets, SPAN("城乡建设/供水"), SPAN("ordinary")));
    assert_true(targets_is_dispute(targets, SPAN("城乡建设/供水"), SPAN("ordinary")));
    assert_true(targets_is_dispute(targets, SPAN("城乡建设/供水/水压"), SPAN("")));
    assert_false(targets_is_dispute(targets, SPAN("城乡建设/供水管"), SPAN("")));
    assert_false(targets_is_dispute(targets, SPAN("城乡建设"), SPAN("emergency")));
    targets_free(&targets);
    targets_free(&targets);
}

/* The charter's numbers, with names that the rules have. */
static void the_real_file(void **state)
{
    (void)state;
    static const double shares[TARGET_COUNT] = {[TARGET_ORDERS] = 0.98,
                                                [TARGET_SAFETY] = 0.95,
                                                [TARGET_DISPUTES] = 0.9,
                                                [TARGET_SPECIAL] = 0.95,
                                                [TARGET_ALL] = 0.85};
    struct err err;
    struct policy *policy = policy_load_with("rules", RULES_HAND, &err);
    if (policy == NULL)
        fail_msg("%s", err.text);
    const struct targets *targets = policy_targets(policy);
    for (enum target t = 0; t < TARGET_COUNT; t++)
        assert_true(targets_share(targets, t) == shares[t]);
    assert_int_equal(targets_response_ms(targets), 15 * CLOCK_MINUTE_MS);
    assert_int_equal(targets_satisfied_from(targets), 4);
    assert_true(targets_is_safety(targets, SPAN("城乡建设/安全生产/安全隐患"), SPAN("ordinary")));
    assert_true(targets_is_dispute(targets, SPAN("x"), SPAN("complex_dispute")));
    policy_unref(&policy);
}

/* The sample with one line replaced. */
static const char *with(const char *line, const char *instead)
{
    static char text[2048];
    const char *at = strstr(sample_targets, line);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sample_targets), sample_targets, instead,
             at + strlen(line));
    return text;
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *instead, *message;
    } rows[] = {
        {"first_response_minutes: 15\n", "", "first_response_minutes"},
        {"minutes: 15", "minutes: 0", "targets.yaml:1:"},
        {"orders_in_time: 98", "orders_in_time: 101", "targets.yaml:2:"},
        {"orders_in_time", "orders_on_time", "orders_on_time"},
        {"safety: {in_time: 95, classes: [emergency, disaster]}\n", "", "'safety' is missing"},
        {", classes: [emergency, disaster]", "", "at least one category or class"},
        {"[emergency, disaster]", "emergency", "targets.yaml:3:"},
        {"[emergency, disaster]", "[[emergency]]", "must be a name"},
        {"settled: 90", "in_time: 90", "in_time"},
        {"from_stars: 4", "from_stars: 6", "targets.yaml:5:"},
        {", all: 85", "", "all"},
        {"special_groups: 95, ", "", "special_groups"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        if (load(with(rows[i].line, rows[i].instead), &err) != NULL)
            fail_msg("row %zu was taken", i);
        assert_contains(err.text, "targets.yaml:");
        assert_contains(err.text, rows[i].message);
    }
}

/* A name that the other files do not have is one that nothing would ever be counted under. */
static void names_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *instead, *message;
    } rows[] = {
        {"[emergency, disaster]", "[emergency, dizaster]",
         "targets.yaml:3:44: sla.yaml has no class 'dizaster'"},
        {"城乡建设/供水", "城乡建设/供电", "targets.yaml:4:38: there is no category"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct folder rules = folder_new();
        struct err err = {0};
        folder_write_rules(&rules);
        folder_write(&rules, "targets.yaml", with(rows[i].line, rows[i].instead));
        assert_null(policy_load(rules.path, &err));
        assert_contains(err.text, rows[i].message);
        folder_remove(&rules);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    folder_write(&folder, "targets.yaml", sample_targets);
    for (uint64_t n = 1;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct targets *targets = targets_load(folder_path(&folder, "targets.yaml"), &err);
        const uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (targets == NULL) {
            assert_int_equal(err.code, ERR_NOMEM);
            continue;
        }
        targets_free(&targets);
        assert_true(asked < n && n > 2);
        return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample),
        cmocka_unit_test(the_real_file),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(names_that_are_none_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
