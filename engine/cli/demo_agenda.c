/* A binary heap. */
#include "engine/cli/demo_agenda.h"

#include "engine/base/mem.h"

enum { START = 1024 };

struct demo_agenda {
    struct demo_act *heap;
    size_t count, capacity;
    uint64_t serial;
};

struct demo_agenda *demo_agenda_new(void)
{
    return mem_zalloc(1, sizeof(struct demo_agenda));
}

void demo_agenda_free(struct demo_agenda **agenda)
{
    if (*agenda == NULL)
        return;
    mem_free((*agenda)->heap);
    mem_free(*agenda);
    *agenda = NULL;
}

static bool is_before(const struct demo_act *a, const struct demo_act *b)
{
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

int demo_agenda_add(struct demo_agenda *agenda, const struct demo_act *act)
{
    if (agenda->count == agenda->capacity) {
        const size_t capacity = agenda->capacity == 0 ? START : agenda->capacity * 2;
        struct demo_act *heap = mem_resize(agenda->heap, capacity, sizeof *heap);
        if (heap == NULL)
            return -1;
        agenda->heap = heap;
        agenda->capacity = capacity;
    }
    struct demo_act new = *act;
    new.serial = agenda->serial++;
    size_t i = agenda->count++;
    for (; i > 0 && is_before(&new, &agenda->heap[(i - 1) / 2]); i = (i - 1) / 2)
        agenda->heap[i] = agenda->heap[(i - 1) / 2];
    agenda->heap[i] = new;
    return 0;
}

bool demo_agenda_take(struct demo_agenda *agenda, int64_t now, struct demo_act *act)
{
    if (agenda->count == 0 || agenda->heap[0].at > now)
        return false;
    *act = agenda->heap[0];
    const struct demo_act last = agenda->heap[--agenda->count];
    size_t i = 0;
    while (2 * i + 1 < agenda->count) {
        size_t child = 2 * i + 1;
        if (child + 1 < agenda->count && is_before(&agenda->heap[child + 1], &agenda->heap[child]))
            child++;
        if (!is_before(&agenda->heap[child], &last))
            break;
        agenda->heap[i] = agenda->heap[child];
        i = child;
    }
    agenda->heap[i] = last;
    return true;
}

size_t demo_agenda_count(const struct demo_agenda *agenda)
{
    return agenda->count;
}
