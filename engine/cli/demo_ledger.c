/* An open-addressing table of order ids, grown at two thirds full. */
#include "engine/cli/demo_ledger.h"

#include "engine/base/hash.h"
#include "engine/base/mem.h"

#include <string.h>

enum { LEDGER_ID_BYTES = 64, LEDGER_START = 1024 };

struct entry {
    char id[LEDGER_ID_BYTES]; /* NUL-terminated; empty: free */
    uint32_t marks[LEDGER_MARKS];
};

struct ledger {
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t count;
};

struct ledger *ledger_new(void)
{
    struct ledger *ledger = mem_zalloc(1, sizeof(*ledger));
    if (ledger == NULL)
        return NULL;
    ledger->capacity = LEDGER_START;
    ledger->entries = mem_zalloc(ledger->capacity, sizeof(*ledger->entries));
    if (ledger->entries == NULL) {
        mem_free(ledger);
        return NULL;
    }
    return ledger;
}

void ledger_free(struct ledger **ledger)
{
    if (*ledger == NULL)
        return;
    mem_free((*ledger)->entries);
    mem_free(*ledger);
    *ledger = NULL;
}

struct ledger *ledger_copy(const struct ledger *ledger)
{
    struct ledger *copy = mem_zalloc(1, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    *copy = *ledger;
    copy->entries = mem_zalloc(ledger->capacity, sizeof(*copy->entries));
    if (copy->entries == NULL) {
        mem_free(copy);
        return NULL;
    }
    memcpy(copy->entries, ledger->entries, ledger->capacity * sizeof(*copy->entries));
    return copy;
}

/* The entry of an id, or the free one where it belongs. */
static struct entry *slot_of(struct entry *entries, size_t capacity, const char *id)
{
    size_t i = (size_t)hash64(span_str(id), 0) & (capacity - 1);
    while (entries[i].id[0] != '\0' && strcmp(entries[i].id, id) != 0)
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

static int grow(struct ledger *ledger)
{
    const size_t capacity = ledger->capacity * 2;
    struct entry *entries = mem_zalloc(capacity, sizeof(*entries));
    if (entries == NULL)
        return -1;
    for (size_t i = 0; i < ledger->capacity; i++) {
        if (ledger->entries[i].id[0] != '\0')
            *slot_of(entries, capacity, ledger->entries[i].id) = ledger->entries[i];
    }
    mem_free(ledger->entries);
    ledger->entries = entries;
    ledger->capacity = capacity;
    return 0;
}

int ledger_mark(struct ledger *ledger, struct span id, enum ledger_mark mark)
{
    char text[LEDGER_ID_BYTES];
    if (id.len == 0 || id.len >= sizeof(text))
        return -1;
    memcpy(text, id.ptr, id.len);
    text[id.len] = '\0';
    if (ledger->count * 3 >= ledger->capacity * 2 && grow(ledger) < 0)
        return -1;
    struct entry *entry = slot_of(ledger->entries, ledger->capacity, text);
    if (entry->id[0] == '\0') {
        memcpy(entry->id, text, id.len + 1);
        ledger->count++;
    }
    entry->marks[mark]++;
    return 0;
}

struct ledger_count ledger_count(const struct ledger *ledger)
{
    struct ledger_count c = {0};
    for (size_t i = 0; i < ledger->capacity; i++) {
        const struct entry *e = &ledger->entries[i];
        if (e->id[0] == '\0')
            continue;
        const bool acknowledged = e->marks[LEDGER_ACKNOWLEDGED] > 0;
        const bool order = e->marks[LEDGER_ORDER] > 0;
        const uint32_t taken = e->marks[LEDGER_TAKEN];
        c.acknowledged += acknowledged;
        c.orders += order;
        c.taken += taken > 0;
        c.lost += acknowledged && (!order || taken == 0);
        const uint32_t told = e->marks[LEDGER_STEP_ACKNOWLEDGED], steps = e->marks[LEDGER_STEP];
        c.steps_acknowledged += told;
        c.steps += steps;
        c.steps_lost += told > steps ? told - steps : 0;
        c.steps_twice += steps > told ? steps - told : 0;
        c.duplicated += (taken > 1 ? taken - 1 : 0) + (uint64_t)(order && !acknowledged);
    }
    return c;
}
