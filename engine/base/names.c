#include "engine/base/names.h"

int names_find(const void *first, size_t count, size_t stride, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        const char *const *at = (const void *)((const char *)first + i * stride);
        if (span_eq(name, span_str(*at)))
            return (int)i;
    }
    return -1;
}
