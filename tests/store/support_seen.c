#include "tests/store/support_seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

void seen_begin(struct seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    assert_int_equal(uv_loop_init(&seen->loop), 0);
}

void seen_end(struct seen *seen)
{
    redis_close(&seen->redis);
    assert_null(seen->redis);
    test_loop_close(&seen->loop);
}

void seen_ready(void *ctx, struct span fingerprint)
{
    struct seen *seen = ctx;
    seen->ready = true;
    seen->lost = false;
    seen->readies++;
    snprintf(seen->fingerprint, sizeof(seen->fingerprint), "%.*s", SPAN_ARG(fingerprint));
}

void seen_lost(void *ctx)
{
    struct seen *seen = ctx;
    seen->ready = false;
    seen->lost = true;
    seen->losses++;
    seen->failed_when_lost = seen->failed;
    if (seen->redis != NULL) {
        assert_false(redis_ready(seen->redis));
        assert_int_equal(redis_pending(seen->redis), 0);
    }
}

void seen_done(void *ctx, const struct reply *reply, const struct err *err)
{
    struct seen *seen = ctx;
    assert_true((reply == NULL) != (err == NULL));
    if (reply != NULL) {
        seen->answered++;
        seen->errors += reply_type(reply) == REPLY_ERROR ? 1 : 0;
        snprintf(seen->text, sizeof(seen->text), "%.*s", SPAN_ARG(reply_span(reply)));
        if (reply_type(reply) == REPLY_INTEGER && reply_integer(reply) != (int64_t)seen->answered)
            seen->out_of_order = true;
    } else {
        seen->failed++;
        seen->code = err->code;
    }
    seen->all = seen->answered + seen->failed == seen->expected;
}
