#include "engine/http/router.h"

#include "engine/base/check.h"
#include "engine/http/head.h"

/* 1 when one segment of the path fits one of the pattern (a parameter is added to params), 0 when
 * it does not, -1 when memory is short. */
static int segment_fits(struct span pattern, struct span raw, struct arena *arena,
                        struct span params[HTTP_PARAMS], size_t *count)
{
    if (!span_starts(pattern, SPAN("{")) && span_eq(pattern, raw))
        return 1;
    struct span value;
    int decoded = http_unescape(raw, false, arena, &value);
    if (decoded <= 0)
        return decoded;
    if (!span_starts(pattern, SPAN("{")))
        return span_eq(pattern, value) ? 1 : 0;
    CHECK(*count < HTTP_PARAMS);
    if (value.len == 0)
        return 0;
    params[(*count)++] = value;
    return 1;
}

static int pattern_fits(const char *pattern, struct span path, struct arena *arena,
                        struct span params[HTTP_PARAMS])
{
    struct span want = span_str(pattern);
    size_t count = 0;
    while (want.ptr != NULL && path.ptr != NULL) {
        struct span segment = span_cut(&want, '/');
        int fits = segment_fits(segment, span_cut(&path, '/'), arena, params, &count);
        if (fits <= 0)
            return fits;
    }
    return want.ptr == NULL && path.ptr == NULL ? 1 : 0;
}

enum http_routing http_route_find(const struct http_route *routes, size_t count,
                                  enum http_method method, struct span raw_path,
                                  struct arena *arena, struct span params[HTTP_PARAMS],
                                  const struct http_route **route, unsigned *allow)
{
    enum http_method wanted = method == HTTP_HEAD_ ? HTTP_GET_ : method;
    *allow = 0;
    for (size_t i = 0; i < count; i++) {
        struct span found[HTTP_PARAMS] = {{NULL, 0}};
        int fits = pattern_fits(routes[i].pattern, raw_path, arena, found);
        if (fits < 0)
            return HTTP_ROUTE_NO_MEMORY;
        if (fits == 0)
            continue;
        if (routes[i].method == wanted) {
            for (size_t k = 0; k < HTTP_PARAMS; k++)
                params[k] = found[k];
            *route = &routes[i];
            return HTTP_ROUTE_FOUND;
        }
        *allow |= 1u << routes[i].method;
    }
    return *allow == 0 ? HTTP_ROUTE_UNKNOWN : HTTP_ROUTE_METHOD;
}

struct span http_allow_text(unsigned allow, struct arena *arena)
{
    bool get = (allow & 1u << HTTP_GET_) != 0;
    struct span text = arena_printf(arena, "%s%s%s%s", get ? ", GET, HEAD" : "",
                                    (allow & 1u << HTTP_POST_) != 0 ? ", POST" : "",
                                    (allow & 1u << HTTP_PUT_) != 0 ? ", PUT" : "",
                                    (allow & 1u << HTTP_DELETE_) != 0 ? ", DELETE" : "");
    return text.ptr == NULL ? text : span_sub(text, 2, text.len);
}
