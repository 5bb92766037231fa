/*
 * Fuzzes the request parser. The first bytes of the input say where the rest is cut; whatever comes
 * out must be the same as when it is fed in one piece. What is taken as a chunked body is also
 * given to llhttp, which must read the same body.
 */
#include "tests/http/parse_log.h"

#include "engine/base/check.h"

#include <llhttp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS = 4 };

static void same_in_pieces(const uint8_t *cuts, const char *input, size_t len,
                           const struct buf *wanted)
{
    struct parse_log log;
    size_t at = 0;
    parse_log_start(&log);
    for (int i = 0; i < CUTS && at < len; i++) {
        size_t step = cuts[i] < len - at ? cuts[i] : len - at;
        parse_log_feed(&log, input + at, step);
        at += step;
    }
    /* The rest in pieces of one to three bytes. */
    for (size_t step; at < len; at += step) {
        step = 1 + (size_t)(cuts[0] + at) % 3;
        step = step < len - at ? step : len - at;
        parse_log_feed(&log, input + at, step);
    }
    parse_log_end(&log);
    CHECK(span_eq(buf_view(&log.text), buf_view(wanted)));
    buf_free(&log.text);
}

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    buf_append(llhttp->data, at, len);
    return 0;
}

static int on_complete(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

/* llhttp 8.1 takes no second extension behind an unquoted value ("5;a=b;c"), which the grammar
 * allows. To refuse a body is not to read another one. */
static bool refuses_extension(const llhttp_t *llhttp, llhttp_errno_t error)
{
    return error == HPE_INVALID_CHUNK_SIZE && llhttp_get_error_pos(llhttp)[-1] == ';';
}

/* The first request, when we take it whole, must have the same body for llhttp. */
static void same_as_llhttp(const char *input, size_t len)
{
    static const llhttp_settings_t settings = {.on_body = on_body,
                                               .on_message_complete = on_complete};
    struct parse_log log;
    struct buf body = {.limit = 0};
    parse_log_start(&log);
    CHECK(http_parser_feed(&log.parser, input, len) == 0);
    bool taken = http_parser_next(&log.parser, log.arena, &log.request) == HTTP_PARSE_HEAD &&
                 http_parser_admit(&log.parser, PARSE_LOG_BODY_MAX) == 0 &&
                 http_parser_next(&log.parser, log.arena, &log.request) == HTTP_PARSE_DONE;
    if (taken) {
        llhttp_t llhttp;
        llhttp_init(&llhttp, HTTP_REQUEST, &settings);
        llhttp.data = &body;
        llhttp_errno_t error = llhttp_execute(&llhttp, input, len);
        CHECK(error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE ||
              refuses_extension(&llhttp, error));
        if (error == HPE_PAUSED)
            CHECK(span_eq(buf_view(&body), log.request.body));
    }
    buf_free(&body);
    parse_log_end(&log);
    buf_free(&log.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CUTS)
        return 0;
    const char *input = (const char *)data + CUTS;
    size_t len = size - CUTS;
    struct parse_log log;
    parse_log_start(&log);
    parse_log_feed(&log, input, len);
    parse_log_end(&log);
    same_in_pieces(data, input, len, &log.text);
    buf_free(&log.text);
    if (len > 0)
        same_as_llhttp(input, len);
    return 0;
}
