/*
 * The tables are described in classifiers/gen/text_table.c, which makes them.
 */
#include "classifiers/text_private.h"

#include "engine/base/mem.h"
#include "engine/base/utf.h"

#include "text_table.h"

/* What one code point becomes. */
struct fold {
    const uint16_t *units;
    size_t count;
    uint16_t own[2]; /* where units points to when no table holds them */
};

static inline uint16_t delta_of(uint32_t cp)
{
    return text_table_delta[(size_t)text_table_block[cp >> 8] * 256 + (cp & 0xFF)];
}

static inline bool is_noise(uint32_t cp)
{
    size_t word = (size_t)text_table_noise_row[cp >> 8] * 8 + (cp >> 5 & 7);
    return (text_table_noise[word] >> (cp & 31) & 1) != 0;
}

static inline bool is_surrogate(uint16_t unit)
{
    return (unit & 0xF800) == 0xD800;
}

static inline uint32_t pair_of(uint16_t high, uint16_t low)
{
    return 0x10000 + ((uint32_t)(high & 0x3FF) << 10) + (low & 0x3FF);
}

static void fold_special(size_t special, struct fold *out)
{
    out->units = text_table_pool + text_table_from[special];
    out->count = (size_t)(text_table_from[special + 1] - text_table_from[special]);
}

static void fold_code_point(uint32_t cp, struct fold *out)
{
    uint16_t delta = delta_of(cp);
    out->units = out->own;
    if (cp >= 0x10000 && delta != 0) {
        fold_special((size_t)delta - 1, out);
    } else if (cp >= 0x10000) {
        out->own[0] = (uint16_t)(0xD800 + ((cp - 0x10000) >> 10));
        out->own[1] = (uint16_t)(0xDC00 + (cp & 0x3FF));
        out->count = 2;
    } else {
        out->own[0] = (uint16_t)(cp + delta);
        out->count = 1;
        if (is_surrogate(out->own[0]))
            fold_special((size_t)(out->own[0] - 0xD800), out);
    }
}

/* Whether a Han character ends before unit `end`; no when that unit did not fit. */
static bool is_han_before(const struct text *text, size_t end)
{
    if (end == 0 || end > text->capacity)
        return false;
    uint16_t last = text->units[end - 1];
    if (!is_surrogate(last))
        return text_is_han(last);
    return end >= 2 && text_is_han(pair_of(text->units[end - 2], last));
}

int text_reserve(struct text *text, size_t room, struct err *err)
{
    if (text->capacity - text->count >= room)
        return 0;
    size_t capacity = text->count + room + room / 2;
    uint16_t *units = mem_resize(text->units, capacity, sizeof *units);
    if (units != NULL)
        text->units = units;
    uint32_t *origin = mem_resize(text->origin, capacity, sizeof *origin);
    if (origin != NULL)
        text->origin = origin;
    if (units == NULL || origin == NULL)
        return err_set(err, ERR_NOMEM, "out of memory while reading a text");
    text->capacity = capacity;
    return 0;
}

/* Opens, prolongs, drops or keeps a run of noise, now that cp comes. */
static void run_see(struct text *text, struct text_input *input, uint32_t cp)
{
    if (is_noise(cp)) {
        if (input->run == TEXT_NO_RUN && is_han_before(text, text->count))
            input->run = text->count;
        return;
    }
    if (input->run != TEXT_NO_RUN && text_is_han(cp))
        text->count = input->run;
    input->run = TEXT_NO_RUN;
}

static void put(struct text *text, const struct text_input *input, uint16_t unit)
{
    if (text->count < text->capacity) {
        text->units[text->count] = unit;
        if (!input->fixed)
            text->origin[text->count] = (uint32_t)input->at;
    }
    text->count++;
}

int text_step(struct text *text, struct text_input *input, struct err *err)
{
    uint32_t cp;
    size_t length =
        utf8_decode(span_of((const char *)input->bytes + input->at, input->len - input->at), &cp);
    if (length == 0 && input->what == NULL)
        return err_set(err, ERR_INVALID, "not valid UTF-8 at byte %zu", input->at);
    if (length == 0)
        return err_set(err, ERR_INVALID, "the %s is not valid UTF-8 at byte %zu", input->what,
                       input->at);
    struct fold fold = {.own = {0}};
    fold_code_point(cp, &fold);
    size_t left = input->len - input->at - length;
    if (!input->fixed && text_reserve(text, fold.count + left + TEXT_SLACK, err) != 0)
        return -1;
    for (size_t i = 0; i < fold.count; i++) {
        bool pair = is_surrogate(fold.units[i]);
        run_see(text, input, pair ? pair_of(fold.units[i], fold.units[i + 1]) : fold.units[i]);
        put(text, input, fold.units[i]);
        if (pair)
            put(text, input, fold.units[++i]);
    }
    input->at += length;
    return 0;
}

/* Whether any of the lanes directly follows a Han character. */
static bool any_behind_han(const struct text *text, uint32_t lanes)
{
    for (; lanes != 0; lanes &= lanes - 1) {
        if (is_han_before(text, text->count + (size_t)__builtin_ctz(lanes)))
            return true;
    }
    return false;
}

/* Drops or keeps the runs of noise among the lanes, as run_see does for one code point; of them
 * none is above U+FFFF. Returns how many lanes are left. */
static size_t settle_noise(struct text *text, struct text_input *input, uint32_t noise,
                           size_t lanes)
{
    uint16_t *units = text->units + text->count;
    uint32_t *origin = text->origin + text->count;
    size_t kept = 0;
    size_t open = 0; /* lanes of a run that is open */
    for (size_t lane = 0; lane < lanes; lane++) {
        bool is_noise_lane = (noise >> lane & 1) != 0;
        if (is_noise_lane) {
            if (open > 0 || is_han_before(text, text->count + kept))
                open++;
        } else {
            if (text_is_han(units[lane]))
                kept -= open;
            open = 0;
        }
        units[kept] = units[lane];
        origin[kept++] = origin[lane];
    }
    if (open > 0)
        input->run = text->count + kept - open;
    return kept;
}

size_t text_settle(struct text *text, struct text_input *input, uint32_t others, size_t lanes)
{
    uint16_t *units = text->units + text->count;
    uint32_t noise = 0;
    for (; others != 0; others &= others - 1) {
        size_t lane = (size_t)__builtin_ctz(others);
        uint16_t unit = (uint16_t)(units[lane] + delta_of(units[lane]));
        if (is_surrogate(unit)) { /* also of broken UTF-8, which has no delta */
            lanes = lane;
            break;
        }
        units[lane] = unit;
        noise |= UINT32_C(1) << lane;
    }
    bool runs = noise != 0 && any_behind_han(text, noise & ~(noise << 1));
    text->count += runs ? settle_noise(text, input, noise, lanes) : lanes;
    return lanes;
}
