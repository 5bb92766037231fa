#include "engine/base/mem.h"
#include "engine/model/policy.h"
#include "tests/model/support.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* All but its escalations. */
#define PROCESS                                                                                   \
    "returns: {most: 2}\nreopen: {days: 7, resolve_hours: 24}\nextension: {days: 15}\ncapacity: " \
    "{open: 8}\n"                                                                                 \
    "handover: {turns: 3}\nwarnings: {blue: 0.5, yellow: 0.8, red: 1}\n"                          \
    "tell: {blue: [], yellow: [], red: [head]}\n"                                                 \
    "reasons: {return: [{code: not_mine, title: 不归我}]}\nescalation: "

static void everything_is_loaded(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_write_rules(&folder);
    struct err err;
    struct policy *policy = policy_load(folder.path, &err);
    if (policy == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(rules_id(policy_rules(policy)).len, 16);
    assert_true(directory_has_grid(policy_directory(policy), SPAN("bihu-01")));
    assert_true(process_asks_why(policy_process(policy), STEP_RETURN));
    assert_true(sla_has_class(policy_sla(policy), SPAN("service")));
    assert_false(calendar_is_workday(policy_calendar(policy), 2025, 1, 1, NULL));
    policy_unref(&policy);
    assert_null(policy);
    policy_unref(&policy);
    folder_remove(&folder);
}

static void wrong_parts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *message;
    } rows[] = {
        {"sla.yaml", "default: ordinary\nclasses: []\n", "sla.yaml:2:10: "},
        {"sla.yaml",
         "default: ordinary\nclasses: [{name: ordinary, resolve: 1h}, {name: service, resolve: "
         "1h}, "
         "{name: disaster, resolve: 1h}]\n",
         "emergency"},
        {"sla.yaml",
         "default: ordinary\nclasses: [{name: ordinary, resolve: 1h}, {name: service, resolve: "
         "1h}, "
         "{name: emergency, resolve: 1h}]\n",
         "sla.yaml:1:1: class 'disaster' is missing"},
        {"sla.yaml",
         "default: service\nclasses: [{name: service, resolve: 1h}, {name: disaster, resolve: 1h}, "
         "{name: emergency, resolve: 1h}]\n",
         "sla.yaml:1:1: class 'ordinary' is missing"},
        {"calendar.yaml", "years: []\n", "calendar.yaml:1:8: "},
        {"process.yaml", "returns: {most: 2}\n", "process.yaml:1:1: "},
        {"targets.yaml", "orders_in_time: 98\n", "targets.yaml:1:1: "},
        {"process.yaml", PROCESS "[{from: disputes, to: council, at: station}]\n",
         "process.yaml:9:21: 'disputes' is not a class of sla.yaml"},
        {"process.yaml", PROCESS "[{from: dispute, to: councils, at: station}]\n",
         "process.yaml:9:34: 'councils' is not a class of sla.yaml"},
        {"directory/wangyue.yaml", "street: 1\n", "directory/wangyue.yaml:1:"},
        {"categories/chengjian.yaml", "category: 城乡建设\nsla: unheard\nrules: []\n", "unheard"},
        {"urgency.yaml",
         "default: blue\nrules:\n  - {level: red, sla: unheard, keywords: [着火了]}\n", "unheard"},
        {"tags.yaml", "rules: 1\n", "tags.yaml:1:"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct folder folder = folder_new();
        folder_write_rules(&folder);
        folder_write(&folder, rows[i].file, rows[i].text);
        struct err err = {0};
        struct policy *policy = policy_load(folder.path, &err);
        if (policy != NULL)
            fail_msg("row %zu was taken", i);
        assert_contains(err.text, rows[i].message);
        folder_remove(&folder);
    }
    struct err err = {0};
    assert_null(policy_load("/nonexistent", &err));
    assert_int_equal(err.code, ERR_IO);
    assert_null(policy_load("/nonexistent", NULL));
}

static void *use_policy(void *arg)
{
    struct policy *policy = arg;
    for (int i = 0; i < 20000; i++) {
        struct policy *mine = policy_ref(policy);
        if (!sla_has_class(policy_sla(mine), SPAN("ordinary")))
            return arg;
        policy_unref(&mine);
    }
    policy_unref(&policy); /* the reference this thread was given */
    return NULL;
}

/* Under the sanitizers this finds a double free, a use after it, and a race; without, a leak of
 * none. */
static void any_thread_may_hold_it(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_write_rules(&folder);
    struct policy *policy = policy_load(folder.path, NULL);
    assert_non_null(policy);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_policy, policy_ref(policy)), 0);
    policy_unref(&policy); /* the last thread frees it */
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
    folder_remove(&folder);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_write_rules(&folder);
    uint64_t n = 1;
    for (;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct policy *policy = policy_load(folder.path, &err);
        uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (policy == NULL) {
            if (err.code != ERR_NOMEM)
                fail_msg("allocation %u: %s", (unsigned)n, err.text);
            continue;
        }
        policy_unref(&policy);
        assert_true(asked < n);
        break;
    }
    assert_true(n > 40);
    folder_remove(&folder);
}

static void the_rules_of_the_repository(void **state)
{
    (void)state;
    struct err err;
    struct policy *policy = policy_load("rules", &err);
    if (policy == NULL)
        fail_msg("%s", err.text);
    assert_true(rules_count(policy_rules(policy)).categories >= 7);
    policy_unref(&policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_loaded),        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(any_thread_may_hold_it),      cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_rules_of_the_repository),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
