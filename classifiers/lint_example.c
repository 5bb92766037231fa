#include "classifiers/lint_example.h"

#include "engine/base/utf.h"

#include <string.h>

enum {
    FILLER = 0x554A,       /* 啊: stands for any character */
    RANDOM_SET_UNITS = 64, /* sets up to this are chosen from by chance */
    DEPTH_ROUNDS = 64      /* rounds written of one repeat */
};

void example_put(struct example *example, uint16_t unit)
{
    if (example->count < EXAMPLE_UNITS)
        example->units[example->count++] = unit;
}

static uint16_t unit_at(const struct pattern_node *set, size_t at)
{
    for (size_t i = 0; i < set->count; i++) {
        size_t size = (size_t)(set->ranges[i].to - set->ranges[i].from) + 1;
        if (at < size)
            return (uint16_t)(set->ranges[i].from + at);
        at -= size;
    }
    return FILLER;
}

/* A unit of the set that a text may hold. */
static uint16_t choose(const struct pattern_node *set, const struct example_taste *taste)
{
    static const uint16_t common[] = {FILLER, 'a', '1', ' '};
    size_t size = pattern_set_size(set);
    if (taste->prefer != 0 && pattern_set_has(set, taste->prefer))
        return taste->prefer;
    if (taste->random != NULL && size > 0 && size <= RANDOM_SET_UNITS)
        return unit_at(set, (size_t)random_below(taste->random, size));
    if (size == 1)
        return unit_at(set, 0);
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (pattern_set_has(set, common[i]))
            return common[i];
    return unit_at(set, 0);
}

static void write_repeat(struct example *example, const struct pattern_node *repeat,
                         const struct example_taste *taste)
{
    uint32_t rounds = repeat->min;
    if (taste->random != NULL && repeat->max > rounds)
        rounds += (uint32_t)random_below(taste->random, 2);
    for (uint32_t i = 0; i < rounds && i < DEPTH_ROUNDS; i++)
        example_write(example, repeat->parts[0], taste);
}

void example_write(struct example *example, const struct pattern_node *part,
                   const struct example_taste *taste)
{
    switch (part->kind) {
    case PATTERN_SET:
        example_put(example, choose(part, taste));
        break;
    case PATTERN_REPEAT:
        write_repeat(example, part, taste);
        break;
    case PATTERN_CHOICE: {
        size_t which = taste->random == NULL ? 0 : (size_t)random_below(taste->random, part->count);
        example_write(example, part->parts[which], taste);
        break;
    }
    case PATTERN_ROW:
        for (size_t i = 0; i < part->count; i++)
            example_write(example, part->parts[i], taste);
        break;
    case PATTERN_NOTHING:
    case PATTERN_LOOK:
        break;
    }
}

size_t example_utf8(const uint16_t *units, size_t count, char *out, size_t cap)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        char encoded[4];
        size_t length = utf8_encode(units[i], encoded);
        if (length == 0) {
            encoded[0] = '?';
            length = 1;
        }
        if (bytes + length > cap)
            break;
        memcpy(out + bytes, encoded, length);
        bytes += length;
    }
    return bytes;
}
