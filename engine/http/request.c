/* What a handler asks of a request: see http.h. */
#include "engine/http/head.h"

struct span http_header(const struct http_request *r, const char *name)
{
    struct span wanted = span_str(name);
    for (size_t i = 0; i < r->header_count; i++) {
        if (span_eq_nocase(r->headers[i].name, wanted)) {
            struct span value = r->headers[i].value;
            return value.ptr == NULL ? span_str("") : value;
        }
    }
    return span_of(NULL, 0);
}

bool http_is_type(const struct http_request *r, const char *type)
{
    struct span value = http_header(r, "content-type");
    return span_eq_nocase(span_trim(span_cut(&value, ';')), span_str(type));
}

struct span http_query(const struct http_request *r, const char *name)
{
    struct span rest = r->query, wanted = span_str(name), key, value;
    while (rest.ptr != NULL) {
        value = span_cut(&rest, '&');
        struct span raw = span_cut(&value, '=');
        if (http_unescape(raw, true, r->arena, &key) < 0)
            break;
        if (!span_eq(key, wanted))
            continue;
        if (value.ptr == NULL)
            return span_str("");
        struct span decoded;
        return http_unescape(value, true, r->arena, &decoded) == 1 ? decoded : span_of(NULL, 0);
    }
    return span_of(NULL, 0);
}
