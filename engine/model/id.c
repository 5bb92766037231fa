#include "engine/model/id.h"

#include "engine/base/check.h"
#include "engine/base/random.h"

#include <string.h>

enum { TIME_CHARS = 10, RANDOM_BYTES = 10 };

/* Crockford's base 32: no I, L, O, U. ASCII order is the order of the values, so text order is time
 * order. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

bool id_name_valid(struct span name)
{
    if (name.len < 1 || name.len > ID_COMMUNITY_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!allowed)
            return false;
    }
    return true;
}

/* Writes the low 5 * count bits of value, highest first. */
static void put_base32(char *out, size_t count, uint64_t value)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = alphabet[value & 31];
        value >>= 5;
    }
}

/* 40 random bits, which are 8 characters exactly. */
static uint64_t forty_bits(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 5; i++)
        value = value << 8 | bytes[i];
    return value;
}

void id_make(struct id *id, struct span community, int64_t now_ms)
{
    CHECK(id_name_valid(community));
    CHECK(now_ms >= 0 && now_ms < (INT64_C(1) << 48));
    uint8_t noise[RANDOM_BYTES];
    random_bytes(noise, sizeof noise);
    memcpy(id->text, community.ptr, community.len);
    char *out = id->text + community.len;
    *out++ = '.';
    put_base32(out, TIME_CHARS, (uint64_t)now_ms);
    put_base32(out + TIME_CHARS, 8, forty_bits(noise));
    put_base32(out + TIME_CHARS + 8, 8, forty_bits(noise + 5));
    out[ID_ULID_BYTES] = '\0';
}

/* The upper-case character when c is one of the alphabet in any case, else 0. */
static char canonical(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    return c != '\0' && strchr(alphabet, c) != NULL ? c : '\0';
}

int id_parse(struct span text, struct id *id)
{
    if (text.len < 1 + 1 + ID_ULID_BYTES || text.len > ID_BYTES)
        return -1;
    size_t dot = text.len - ID_ULID_BYTES - 1;
    struct span community = span_sub(text, 0, dot);
    struct span ulid = span_sub(text, dot + 1, text.len);
    /* 26 characters hold 130 bits; the top two of a ULID are zero. */
    if (text.ptr[dot] != '.' || !id_name_valid(community) || ulid.ptr[0] < '0' || ulid.ptr[0] > '7')
        return -1;
    struct id parsed;
    memcpy(parsed.text, text.ptr, dot + 1);
    for (size_t i = 0; i < ID_ULID_BYTES; i++) {
        char c = canonical(ulid.ptr[i]);
        if (c == '\0')
            return -1;
        parsed.text[dot + 1 + i] = c;
    }
    parsed.text[text.len] = '\0';
    memcpy(id->text, parsed.text, text.len + 1);
    return 0;
}

struct span id_span(const struct id *id)
{
    return span_str(id->text);
}

struct span id_community(const struct id *id)
{
    struct span whole = id_span(id);
    CHECK(whole.len > ID_ULID_BYTES + 1);
    return span_sub(whole, 0, whole.len - ID_ULID_BYTES - 1);
}

struct span id_ulid(const struct id *id)
{
    struct span whole = id_span(id);
    CHECK(whole.len > ID_ULID_BYTES + 1);
    return span_sub(whole, whole.len - ID_ULID_BYTES, whole.len);
}

int64_t id_time(const struct id *id)
{
    struct span ulid = id_ulid(id);
    uint64_t value = 0;
    for (size_t i = 0; i < TIME_CHARS; i++) {
        const char *at = strchr(alphabet, ulid.ptr[i]);
        CHECK(at != NULL);
        value = value << 5 | (uint64_t)(at - alphabet);
    }
    return (int64_t)value;
}
