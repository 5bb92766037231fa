#include "engine/store/keys.h"

#include "engine/base/check.h"

#include <stdio.h>
#include <string.h>

enum { DAY_BYTES = 9 }; /* yyyymmdd */

/* Appends to the key. The parts are names of the directory and ULIDs, which are short (id.h). */
static void add(struct key *key, struct span part)
{
    CHECK(part.len < KEY_BYTES - key->len);
    if (part.ptr == NULL)
        return;
    memcpy(key->text + key->len, part.ptr, part.len);
    key->len += part.len;
    key->text[key->len] = '\0';
}

/* "jiesu:{<community>}:<what>" */
static struct key community_key(struct span community, struct span what)
{
    struct key key = {.len = 0};
    add(&key, SPAN("jiesu:{"));
    add(&key, community);
    add(&key, SPAN("}:"));
    add(&key, what);
    return key;
}

struct span key_span(const struct key *key)
{
    return span_of(key->text, key->len);
}

struct key key_order(const struct id *id)
{
    struct key key = community_key(id_community(id), SPAN("order:"));
    add(&key, id_ulid(id));
    return key;
}

int key_parse_order(struct span key, struct id *id)
{
    const struct span prefix = SPAN("jiesu:{"), middle = SPAN("}:order:");
    const ptrdiff_t close = span_find(key, middle);
    char text[ID_BYTES];
    if (!span_starts(key, prefix) || close < (ptrdiff_t)prefix.len)
        return -1;
    const struct span community = span_sub(key, prefix.len, (size_t)close);
    const struct span ulid = span_sub(key, (size_t)close + middle.len, key.len);
    const size_t len = community.len + 1 + ulid.len;
    if (len > sizeof(text))
        return -1;
    memcpy(text, community.ptr, community.len);
    text[community.len] = '.';
    memcpy(text + community.len + 1, ulid.ptr, ulid.len);
    return id_parse(span_of(text, len), id);
}

struct key key_alias(const struct id *id)
{
    struct key key = community_key(id_community(id), SPAN("alias:"));
    add(&key, id_ulid(id));
    return key;
}

struct key key_queue(struct span community, struct span worker, enum order_queue which)
{
    static const char *const classes[ORDER_QUEUE_COUNT] = {
        [QUEUE_ORDINARY] = "", [QUEUE_SPECIAL] = ":special", [QUEUE_URGENT] = ":urgent"};
    struct key key = community_key(community, SPAN("q:"));
    add(&key, worker);
    add(&key, span_str(classes[which]));
    return key;
}

struct key key_due(struct span community)
{
    return community_key(community, SPAN("due"));
}

struct key key_warned(struct span community, enum warning level)
{
    struct key key = community_key(community, SPAN("idx:warning:"));
    CHECK(level != WARNING_NONE);
    add(&key, span_str(warning_name(level)));
    return key;
}

struct key key_open(struct span community)
{
    return community_key(community, SPAN("open"));
}

struct key key_idle(struct span community)
{
    return community_key(community, SPAN("idle"));
}

struct key key_notices(struct span community, struct span worker)
{
    struct key key = community_key(community, SPAN("notices:"));
    add(&key, worker);
    return key;
}

struct key key_examples(struct span community)
{
    return community_key(community, SPAN("examples"));
}

struct key key_events(struct span community)
{
    return community_key(community, SPAN("events"));
}

struct key key_cursors(struct span community)
{
    return community_key(community, SPAN("cursors"));
}

struct key key_lease(struct span community, struct span consumer)
{
    struct key key = community_key(community, SPAN("lease:"));
    add(&key, consumer);
    return key;
}

struct key key_dead(struct span community, struct span hook)
{
    struct key key = community_key(community, SPAN("dead:"));
    add(&key, hook);
    return key;
}

struct key key_dead_orders(struct span community, struct span hook)
{
    struct key key = key_dead(community, hook);
    add(&key, SPAN(":orders"));
    return key;
}

struct key key_dead_replay(struct span community, struct span hook)
{
    struct key key = key_dead(community, hook);
    add(&key, SPAN(":replay"));
    return key;
}

struct key key_hook(struct span community, struct span hook)
{
    struct key key = community_key(community, SPAN("hook:"));
    add(&key, hook);
    return key;
}

struct key key_lapse(struct span community)
{
    return community_key(community, SPAN("lapse"));
}

struct key key_stat(struct span community, int32_t day, struct span by)
{
    char number[DAY_BYTES];
    struct key key = community_key(community, SPAN("stat:"));
    const int len = snprintf(number, sizeof(number), "%08d", (int)day);
    CHECK(len == DAY_BYTES - 1);
    add(&key, span_str(number));
    if (by.len > 0) {
        add(&key, SPAN(":"));
        add(&key, by);
    }
    return key;
}

struct key key_wake(struct span community, struct span worker)
{
    struct key key = community_key(community, SPAN("wake:"));
    add(&key, worker);
    return key;
}

struct key key_claim(struct hash128 claim)
{
    struct key key = {.len = 0};
    char hex[HASH_HEX_BYTES];
    add(&key, SPAN("jiesu:claim:"));
    add(&key, span_str(hash128_hex(claim, hex)));
    return key;
}
