/*
 * text_private: what the files of text share. text.c puts a text together; text_step.c treats any
 * one code point, by the tables; text_avx2.c and text_avx512.c are the loops for what most texts
 * are made of, and fall back on the step for the rest. All forms give the same units and origins.
 *
 * Noise is decided on the units as they come: one that directly follows a Han character opens a
 * run; noise prolongs it; a Han character drops the run that is open, anything else keeps it.
 */
#ifndef JIESU_CLASSIFIERS_TEXT_PRIVATE_H
#define JIESU_CLASSIFIERS_TEXT_PRIVATE_H

#include "classifiers/text.h"

enum text_form {
    TEXT_FASTEST, /* not chosen yet */
    TEXT_PORTABLE,
    TEXT_AVX2,
    TEXT_AVX512, /* with VBMI and VBMI2 */
    TEXT_FORMS,
};
/* The fastest that may be used here. */
enum text_form text_form_fastest(void);

/* A loop may store this many units at once, of which fewer count. */
enum { TEXT_SLACK = 64 };
#define TEXT_NO_RUN SIZE_MAX

/* One title or body, as it is read. */
struct text_input {
    const unsigned char *bytes;
    size_t len;
    size_t at;  /* the next byte to read */
    size_t run; /* the unit where a run of noise behind a Han character began, or TEXT_NO_RUN */
    const char *what; /* for messages: "title", "text"; NULL for a string of its own */
    bool fixed;       /* text->units may not grow: what does not fit is counted only */
};

/* The one unit that a unit becomes; 0 when it becomes none or several, or noise, and for halves of
 * surrogate pairs. The last is for loops that read two units at once. */
extern const uint16_t text_plain[65536 + 1];

static inline bool text_is_han(uint32_t cp)
{
    return cp - 0x4E00 < 0x5200 || cp - 0x3400 < 0x19C0 || cp == 0x3005 || cp == 0x3007 ||
           cp - 0xF900 < 0x200 || cp - 0x20000 < 0x20000;
}

/* Room for at least `room` more units. */
int text_reserve(struct text *text, size_t room, struct err *err);

/* Appends what the code point at input->at (< len) becomes, and goes behind it. -1 and *err:
 * ERR_INVALID when it is not UTF-8, ERR_NOMEM. */
int text_step(struct text *text, struct text_input *input, struct err *err);

/* Takes over the first of `lanes` <= 32 units that were stored at text->units[text->count], with
 * their origins; they are folded by text_plain but for `others` (one bit each, lowest first), which
 * are as they were. Drops noise, and returns how many lanes were taken: up to the first that becomes
 * none or several units, or is half of a surrogate pair. input->run must be TEXT_NO_RUN, and is set
 * when a run stays open. */
size_t text_settle(struct text *text, struct text_input *input, uint32_t others, size_t lanes);

/* Each appends all that is left of the input, with text->capacity - text->count at least the bytes
 * left and TEXT_SLACK. As text_step. */
int text_append_portable(struct text *text, struct text_input *input, struct err *err);
int text_append_avx2(struct text *text, struct text_input *input, struct err *err);
int text_append_avx512(struct text *text, struct text_input *input, struct err *err);

/* One step of the portable loop: true when the code point at input->at was of the common kinds and
 * is stored; no run may be open. */
static inline bool text_step_common(struct text *text, struct text_input *input)
{
    const unsigned char *at = input->bytes + input->at;
    unsigned lead = at[0];
    size_t length = 1;
    uint16_t unit = (uint16_t)lead;
    if (lead >= 0x80) {
        /* E0 and ED have second bytes that are not allowed; the step looks at them. */
        if (lead - 0xE1 > 0xEF - 0xE1 || lead == 0xED || input->len - input->at < 3 ||
            (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
            return false;
        unit = (uint16_t)(lead << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu));
        length = 3;
    }
    unit = text_plain[unit];
    if (unit == 0)
        return false;
    text->units[text->count] = unit;
    text->origin[text->count++] = (uint32_t)input->at;
    input->at += length;
    return true;
}

#endif
