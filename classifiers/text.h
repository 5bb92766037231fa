/*
 * text: a resident's text, normalised once to 16-bit units that every matcher reads.
 *
 * Normalisation maps code point by code point: NFKC of the single code point, full width to half
 * width, upper to lower case, traditional to simplified Chinese. One code point may become none,
 * one or several units; code points above U+FFFF become surrogate pairs. The tables are generated
 * at build time from utf8proc and OpenCC (scripts/make-text-table.sh). A line end of any kind
 * becomes U+000A, other white space U+0020, one for one; zero-width characters, bidi controls and
 * variation selectors become nothing.
 *
 * Then noise is dropped: spaces, emoji and other pictographs, shapes, arrows, private-use
 * characters, marks put over a character, control characters, and the decoration * · _ - ~ | / \ +
 * = ^ # @ ` with their kin (the list: classifiers/gen/text_table.c), when the whole run of them
 * stands between two Han characters of the title or of the body: 漏 * 水 becomes 漏水, and 3 * 4 stays.
 * What a sentence needs is no noise, and no keyword crosses it: ，。！？；：、… —— quotes, brackets,
 * line ends. Folding what was folded changes nothing.
 *
 * Each unit remembers the byte it came from, so a hit can be shown in the resident's own words.
 *
 * Title and body are one text: the title's units, one boundary unit (TEXT_BOUNDARY), the body's
 * units. No keyword holds the boundary unit, so none matches across it.
 */
#ifndef JIESU_CLASSIFIERS_TEXT_H
#define JIESU_CLASSIFIERS_TEXT_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_BOUNDARY ((uint16_t)0xFFFF) /* a noncharacter: never the result of normalisation */

/* Reused from text to text: it keeps its memory. Zero it before the first use. */
struct text {
    uint16_t *units;  /* count units */
    uint32_t *origin; /* for unit i: the offset of its code point in the title or in the body */
    size_t count;
    size_t capacity;
    size_t
        title_units; /* units [0, title_units) are the title; unit [title_units] is the boundary */
    struct span title, body; /* the originals, borrowed */
    int form; /* which loop reads (text_private.h); 0: the fastest that this processor knows */
};

/* Where a run of units came from. */
struct text_place {
    bool in_title;
    struct span bytes; /* inside text->title or text->body */
    size_t offset;     /* of bytes.ptr within it */
};

/* Normalises title and body (either may be empty). 0, or -1 and *err: ERR_INVALID with the byte
 * offset when the UTF-8 is not valid, ERR_LIMIT over LIMIT_CLASSIFY_BYTES, ERR_NOMEM; *text is then good for
 * text_set and text_free only. The spans must outlive the use of *text. */
int text_set(struct text *text, struct span title, struct span body, struct err *err);
/* Maps units [from, to) (from < to, not across the boundary) back to the original bytes: whole code
 * points, from the first unit's to the last unit's, with the noise that was dropped between. */
struct text_place text_place(const struct text *text, size_t from, size_t to);
void text_free(struct text *text);

/* Normalises one short string (a keyword, a name) into out, at most cap units, to what text_set
 * makes of it. Returns the number of units, or -1 and *err (ERR_INVALID, ERR_LIMIT). */
ptrdiff_t text_fold(struct span s, uint16_t *out, size_t cap, struct err *err);

#endif
