#include "engine/store/redis_slots.h"

#include <string.h>

/* Bit by bit: a key is short, and a table would be one more thing to get wrong. */
static uint16_t crc16(struct span s)
{
    unsigned crc = 0;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (unsigned)(unsigned char)s.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    return (uint16_t)(crc & 0xffff);
}

uint16_t redis_slot(struct span key)
{
    ptrdiff_t open = span_find_char(key, '{');
    if (open >= 0) {
        struct span rest = span_sub(key, (size_t)open + 1, key.len);
        ptrdiff_t close = span_find_char(rest, '}');
        if (close > 0)
            key = span_sub(rest, 0, (size_t)close);
    }
    return crc16(key) % REDIS_SLOTS;
}

bool redis_endpoint_eq(const struct redis_endpoint *a, const struct redis_endpoint *b)
{
    return a->unix_socket == b->unix_socket && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* 0 when host (or, empty, the one asked) and port make an endpoint. */
static int endpoint_make(struct span host, int64_t port, const struct redis_endpoint *asked,
                         struct redis_endpoint *out)
{
    if (host.len == 0 || span_eq(host, SPAN("?")))
        host = span_str(asked->host);
    if (host.len >= sizeof(out->host) || memchr(host.ptr, '\0', host.len) != NULL || port < 1 ||
        port > 65535)
        return -1;
    memset(out, 0, sizeof(*out));
    memcpy(out->host, host.ptr, host.len);
    out->port = (int)port;
    return 0;
}

/* The index of a master, added when it is new; -1 when there are too many. */
static int master_index(struct redis_slots *slots, const struct redis_endpoint *endpoint)
{
    for (size_t i = 0; i < slots->masters; i++)
        if (redis_endpoint_eq(&slots->master[i], endpoint))
            return (int)i;
    if (slots->masters == REDIS_MASTERS)
        return -1;
    slots->master[slots->masters] = *endpoint;
    return (int)slots->masters++;
}

/* One range: [first, last, [host, port, ...], replicas...]. */
static int range_read(const struct reply *range, const struct redis_endpoint *asked,
                      struct redis_slots *slots, struct err *err)
{
    struct redis_endpoint endpoint;
    if (reply_size(range) < 3)
        return err_set(err, ERR_PROTOCOL, "CLUSTER SLOTS: a range has %zu elements",
                       reply_size(range));
    const struct reply *node = reply_at(range, 2);
    int64_t first = reply_integer(reply_at(range, 0)), last = reply_integer(reply_at(range, 1));
    if (reply_size(node) < 2 || first < 0 || last < first || last >= REDIS_SLOTS ||
        endpoint_make(reply_span(reply_at(node, 0)), reply_integer(reply_at(node, 1)), asked,
                      &endpoint) != 0)
        return err_set(err, ERR_PROTOCOL, "CLUSTER SLOTS: a range cannot be read");
    int index = master_index(slots, &endpoint);
    if (index < 0)
        return err_set(err, ERR_LIMIT, "CLUSTER SLOTS: more than %d masters", REDIS_MASTERS);
    for (int64_t slot = first; slot <= last; slot++)
        slots->owner[slot] = (uint16_t)index;
    return 0;
}

int redis_slots_read(const struct reply *reply, const struct redis_endpoint *asked,
                     struct redis_slots *slots, struct err *err)
{
    if (reply_type(reply) != REPLY_ARRAY)
        return err_set(err, ERR_PROTOCOL, "CLUSTER SLOTS: %.*s", SPAN_ARG(reply_span(reply)));
    memset(slots, 0, sizeof(*slots));
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        slots->owner[i] = REDIS_NO_MASTER;
    for (size_t i = 0; i < reply_size(reply); i++)
        if (range_read(reply_at(reply, i), asked, slots, err) != 0)
            return -1;
    slots->complete = true;
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        if (slots->owner[i] == REDIS_NO_MASTER)
            slots->complete = false;
    return 0;
}

int redis_redirect_read(struct span text, const struct redis_endpoint *asked,
                        struct redis_redirect *redirect)
{
    uint64_t slot, port;
    struct span word = span_cut(&text, ' ');
    redirect->ask = span_eq(word, SPAN("ASK"));
    if (!redirect->ask && !span_eq(word, SPAN("MOVED")))
        return 0;
    if (span_to_u64(span_cut(&text, ' '), REDIS_SLOTS - 1, &slot) != 0)
        return -1;
    /* An IPv6 address has colons of its own: the last one counts. */
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || span_to_u64(span_sub(text, colon, text.len), 65535, &port) != 0)
        return -1;
    redirect->slot = (uint16_t)slot;
    if (endpoint_make(span_sub(text, 0, colon - 1), (int64_t)port, asked, &redirect->to) != 0)
        return -1;
    return 1;
}
