/*
 * A batch: its lines equal those that a naive walk finds, lie inside the body in order, and each is
 * taken or refused by itself.
 */
#include "engine/api/complaint_json.h"
#include "engine/api/ndjson.h"
#include "engine/base/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool blank(const char *from, const char *to)
{
    for (; from < to; from++) {
        if (strchr(" \t\r\n\v\f", *from) == NULL || *from == '\0')
            return false;
    }
    return true;
}

/* The number of lines with something on them, and in *last the number of the last of them. */
static size_t naive(struct span body, uint32_t *last)
{
    const char *at = body.ptr, *end = body.ptr + body.len;
    size_t count = 0;
    for (uint32_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = stop == NULL ? end : stop;
        if (!blank(at, line_end)) {
            count++;
            *last = line;
        }
        at = line_end + 1;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct json_reader *reader;
    if (reader == NULL)
        reader = json_reader_new(LIMIT_JSON_DEPTH);
    CHECK(reader != NULL);
    const struct span body = span_of((const char *)data, size);
    struct ndjson lines = ndjson_of(body);
    struct span line;
    const char *before = body.ptr;
    uint32_t number = 0, last = 0;
    size_t count = 0;
    while (ndjson_next(&lines, &line)) {
        struct complaint complaint;
        struct buf errors = {0};
        struct json root;
        CHECK(line.ptr >= before && line.ptr + line.len <= body.ptr + body.len);
        CHECK(memchr(line.ptr, '\n', line.len) == NULL);
        CHECK(lines.line > number);
        before = line.ptr + line.len;
        number = lines.line;
        count++;
        if (json_parse(reader, line, &root, NULL) == 0)
            (void)complaint_decode(root, &complaint, &errors);
        buf_free(&errors);
    }
    CHECK(count == naive(body, &last) && number == last);
    CHECK(count == ndjson_count(body));
    return 0;
}
