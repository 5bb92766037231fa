#include "tests/classifiers/support_units.h"

#include "classifiers/text.h"
#include "engine/base/check.h"
#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include <string.h>

size_t units_of(const char *utf8, uint16_t *out)
{
    struct span rest = span_str(utf8);
    size_t count = 0;
    while (rest.len > 0) {
        uint32_t cp;
        rest = span_sub(rest, utf8_decode(rest, &cp), rest.len);
        if (cp >= 0x10000) {
            out[count++] = (uint16_t)(0xD800 + ((cp - 0x10000) >> 10));
            cp = 0xDC00 + (cp & 0x3FF);
        }
        out[count++] = (uint16_t)cp;
    }
    return count;
}

const char *units_show(const uint16_t *units, size_t count, char *out)
{
    char *to = out;
    for (size_t i = 0; i < count; i++) {
        uint32_t cp = units[i] == TEXT_BOUNDARY ? '|' : units[i];
        if (cp >= 0xD800 && cp < 0xDC00 && i + 1 < count)
            cp = 0x10000 + ((cp - 0xD800) << 10) + (uint32_t)(units[++i] - 0xDC00);
        to += utf8_encode(cp, to);
    }
    *to = '\0';
    return out;
}

struct keywords_builder *naive_builder(const struct naive *naive)
{
    struct keywords_builder *builder = keywords_builder_new();
    CHECK(builder != NULL);
    for (size_t k = 0; k < naive->count; k++)
        CHECK(keywords_add(builder, naive->units[k], naive->length[k], (uint32_t)k, NULL) == 0);
    return builder;
}

uint16_t *naive_repeat(struct naive *naive, size_t count)
{
    uint16_t *units = mem_alloc(count * sizeof *units);
    CHECK(units != NULL && count >= LIMIT_KEYWORD_UNITS);
    for (size_t i = 0; i < count; i++)
        units[i] = 'a';
    naive->count = LIMIT_KEYWORD_UNITS;
    for (size_t k = 0; k < naive->count; k++) {
        naive->length[k] = k + 1;
        memcpy(naive->units[k], units, (k + 1) * sizeof *units);
    }
    return units;
}

size_t naive_repeat_hits(size_t count)
{
    size_t most = LIMIT_KEYWORD_UNITS;
    return count * most - most * (most - 1) / 2;
}
