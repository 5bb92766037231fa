#include "engine/base/clock.h"
#include "engine/base/mem.h"
#include "engine/model/process.h"
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

static struct process *load(const char *text, struct err *err)
{
    folder_write(&folder, "process.yaml", text);
    return process_load(folder_path(&folder, "process.yaml"), err);
}

static void the_sample(void **state)
{
    (void)state;
    struct err err;
    struct process *process = load(sample_process, &err);
    if (process == NULL)
        fail_msg("%s", err.text);
    const struct process_numbers *numbers = process_numbers(process);
    assert_int_equal(numbers->returns_most, 2);
    assert_true(numbers->reopen_ms == 7 * CLOCK_DAY_MS);
    assert_true(numbers->reopen_resolve_ms == CLOCK_DAY_MS);
    assert_true(numbers->extension_ms == 15 * CLOCK_DAY_MS);
    assert_int_equal(numbers->capacity, 30);
    assert_true(numbers->warnings.from[WARNING_BLUE] == 0.5);
    assert_true(numbers->warnings.from[WARNING_RED] == 1);
    assert_span(process_reasons(process, STEP_RETURN), "not_mine, busy");
    assert_true(process_has_reason(process, STEP_RETURN, SPAN("busy")));
    assert_false(process_has_reason(process, STEP_RETURN, SPAN("bus")));
    assert_false(process_has_reason(process, STEP_RETURN, SPAN("")));
    assert_false(process_has_reason(process, STEP_RETURN, SPAN("parts")));
    assert_int_equal(numbers->handover_turns, 3);
    const unsigned holder = 1u << TELL_HOLDER, leader = 1u << TELL_LEADER, head = 1u << TELL_HEAD;
    assert_int_equal(process_tell(process, WARNING_NONE), 0);
    assert_int_equal(process_tell(process, WARNING_BLUE), holder);
    assert_int_equal(process_tell(process, WARNING_YELLOW), holder | leader);
    assert_int_equal(process_tell(process, WARNING_RED), holder | leader | head);
    assert_int_equal(process_escalation_count(process), 2);
    const struct process_escalation *up = process_escalation(process, SPAN("dispute"));
    assert_non_null(up);
    assert_span(up->to, "council");
    assert_false(up->street);
    assert_contains(up->to_place.ptr, "process.yaml:8:");
    up = process_escalation(process, SPAN("council"));
    assert_non_null(up);
    assert_span(up->to, "complex");
    assert_true(up->street);
    assert_ptr_equal(up, process_escalation_at(process, 1));
    assert_null(process_escalation(process, SPAN("complex")));
    assert_true(process_asks_why(process, STEP_EXTEND));
    assert_false(process_asks_why(process, STEP_ACCEPT));
    process_free(&process);
    process_free(&process);
}

/* The charter's: at most two bounces, seven days. */
static void the_real_file(void **state)
{
    (void)state;
    struct err err;
    struct process *process = process_load("rules/process.yaml", &err);
    if (process == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(process_numbers(process)->returns_most, 2);
    assert_true(process_numbers(process)->reopen_ms == 7 * CLOCK_DAY_MS);
    assert_int_equal(process_numbers(process)->handover_turns, 3);
    assert_span(process_escalation(process, SPAN("dispute"))->to, "council");
    assert_span(process_escalation(process, SPAN("council"))->to, "complex_dispute");
    assert_true(process_escalation(process, SPAN("council"))->street);
    static const enum order_step reasoned[] = {STEP_RETURN, STEP_TRANSFER, STEP_EXTEND,
                                               STEP_REFUSE, STEP_REOPEN,   STEP_CANCEL};
    for (size_t i = 0; i < sizeof reasoned / sizeof *reasoned; i++)
        assert_true(process_asks_why(process, reasoned[i]));
    process_free(&process);
}

/* The sample with one line replaced. */
static const char *with(const char *line, const char *instead)
{
    static char text[2048];
    const char *at = strstr(sample_process, line);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - sample_process), sample_process, instead,
             at + strlen(line));
    return text;
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *instead, *message;
    } rows[] = {
        {"returns: {most: 2}\n", "", "'returns' is missing"},
        {"{most: 2}", "{most: 0}", "process.yaml:1:"},
        {"{most: 2}", "{days: 2}", "days"},
        {"{days: 15}", "{days: fifteen}", "process.yaml:3:"},
        {"yellow: 0.8", "yellow: 0.4", "must rise"},
        {"yellow: 0.8, ", "", "yellow"},
        {"warnings:", "warning:", "warning"},
        {"{turns: 3}", "{turns: 0}", "process.yaml:5:"},
        {"{turns: 3}", "{minutes: 5}", "minutes"},
        {"handover: {turns: 3}\n", "", "'handover' is missing"},
        {"tell: {blue: [holder], yellow: [holder, leader], red: [holder, leader, head]}\n", "",
         "'tell' is missing"},
        {"blue: [holder], ", "", "'blue' is missing"},
        {"blue: [holder]", "blue: holder", "process.yaml:7:14:"},
        {"blue: [holder]", "blue: [mayor]", "process.yaml:7:15: 'mayor' is nobody"},
        {"blue: [holder]", "blue: [holder, holder]", "given twice"},
        {"red: [holder, leader, head]", "red: [holder]", "must be told of red"},
        {"blue: [holder]", "green: [holder]", "green"},
        {"escalation:", "escalations:", "escalations"},
        {"to: council, at: station", "to: council, at: town", "'town' is no place"},
        {"to: council, at: station", "to: council", "the key \"at\" is missing"},
        {"from: council", "from: Council", "'Council' is no class name"},
        {"from: council", "from: dispute", "is escalated twice"},
        {"to: complex", "to: dispute", "comes round"},
        {"to: complex", "to: council", "comes round"},
        {"reasons:\n", "reason:\n", "reason"},
        {"  return:", "  retrun:", "'retrun' is no step"},
        {"code: busy", "code: not_mine", "given twice"},
        {"code: busy", "code: Busy", "is no code"},
        {", title: 等备件", "", "title"},
        {"  return: [{code: not_mine, title: 不归我}, {code: busy, title: 忙不过来}]\n", "",
         "add reasons for 'return'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {0};
        if (load(with(rows[i].line, rows[i].instead), &err) != NULL)
            fail_msg("row %zu was taken", i);
        assert_contains(err.text, "process.yaml:");
        assert_contains(err.text, rows[i].message);
    }
    struct err err = {0};
    assert_null(process_load(folder_path(&folder, "absent.yaml"), &err));
    assert_int_equal(err.code, ERR_IO);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    folder_write(&folder, "process.yaml", sample_process);
    for (uint64_t n = 1;; n++) {
        struct err err = {0};
        mem_fail_at(n);
        struct process *process = process_load(folder_path(&folder, "process.yaml"), &err);
        const uint64_t asked = mem_asked();
        mem_fail_at(0);
        if (process == NULL) {
            assert_int_equal(err.code, ERR_NOMEM);
            continue;
        }
        process_free(&process);
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
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
