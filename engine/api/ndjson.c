#include "engine/api/ndjson.h"

struct ndjson ndjson_of(struct span body)
{
    return (struct ndjson){.rest = body};
}

int ndjson_next(struct ndjson *lines, struct span *line)
{
    while (lines->rest.len > 0) {
        *line = span_trim(span_cut(&lines->rest, '\n'));
        lines->line++;
        if (line->len > 0)
            return 1;
    }
    return 0;
}

size_t ndjson_count(struct span body)
{
    struct ndjson lines = ndjson_of(body);
    struct span line;
    size_t count = 0;
    while (ndjson_next(&lines, &line))
        count++;
    return count;
}
