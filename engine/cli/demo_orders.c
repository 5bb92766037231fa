/* An array, and an open-addressing table of its indexes, twice as long. */
#include "engine/cli/demo_orders.h"

#include "engine/base/check.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"

#include <string.h>

enum { START = 1024 };

struct demo_orders {
    struct demo_order *items;
    size_t count, capacity;
    uint32_t *table; /* index and one; 0: free */
};

static int grow(struct demo_orders *orders);

struct demo_orders *demo_orders_new(void)
{
    struct demo_orders *orders = mem_zalloc(1, sizeof *orders);
    if (orders != NULL && grow(orders) < 0)
        demo_orders_free(&orders);
    return orders;
}

void demo_orders_free(struct demo_orders **orders)
{
    if (*orders == NULL)
        return;
    mem_free((*orders)->items);
    mem_free((*orders)->table);
    mem_free(*orders);
    *orders = NULL;
}

static uint32_t *slot_of(const struct demo_order *items, uint32_t *table, size_t capacity,
                         struct span id)
{
    size_t i = (size_t)hash64(id, 0) & (capacity * 2 - 1);
    while (table[i] != 0 && !span_eq(span_str(items[table[i] - 1].id), id))
        i = (i + 1) & (capacity * 2 - 1);
    return &table[i];
}

static int grow(struct demo_orders *orders)
{
    const size_t capacity = orders->capacity == 0 ? START : orders->capacity * 2;
    uint32_t *table = mem_zalloc(capacity * 2, sizeof *table);
    struct demo_order *items =
        table == NULL ? NULL : mem_resize(orders->items, capacity, sizeof *items);
    if (items == NULL) {
        mem_free(table);
        return -1;
    }
    for (size_t i = 0; i < orders->count; i++)
        *slot_of(items, table, capacity, span_str(items[i].id)) = (uint32_t)i + 1;
    mem_free(orders->table);
    orders->items = items;
    orders->table = table;
    orders->capacity = capacity;
    return 0;
}

int demo_orders_find(struct demo_orders *orders, struct span id, uint32_t *number)
{
    if (id.len == 0 || id.len >= DEMO_ORDER_ID_BYTES ||
        (orders->count == orders->capacity && grow(orders) < 0))
        return -1;
    uint32_t *slot = slot_of(orders->items, orders->table, orders->capacity, id);
    if (*slot == 0) {
        struct demo_order *order = &orders->items[orders->count++];
        *order = (struct demo_order){.state = DEMO_ORDER_WAITING};
        memcpy(order->id, id.ptr, id.len);
        *slot = (uint32_t)orders->count;
    }
    *number = *slot - 1;
    return 0;
}

size_t demo_orders_count(const struct demo_orders *orders)
{
    return orders->count;
}

struct demo_order *demo_orders_at(const struct demo_orders *orders, uint32_t number)
{
    CHECK(number < orders->count);
    return &orders->items[number];
}
