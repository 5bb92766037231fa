#include "engine/cli/show.h"

/* Terminal colours of evidence, by what it speaks for. */
static const char *const colours[] = {
    [EVIDENCE_CATEGORY] = "\033[32m",
    [EVIDENCE_URGENCY] = "\033[1;31m",
    [EVIDENCE_KIND] = "\033[36m",
    [EVIDENCE_TAG] = "\033[35m",
};
static const char set_aside[] = "\033[9m";
static const char colour_off[] = "\033[0m";
enum { SET_ASIDE = sizeof colours / sizeof *colours };

void show_plain(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_char(out, (unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7F ? ' ' : s.ptr[i]);
}

/* What colour byte i has: 0 for none, else 1 + what it is evidence for. */
static unsigned colour_at(const struct evidence *evidence, size_t count, bool in_title, size_t i)
{
    unsigned colour = 0;
    for (size_t e = 0; e < count; e++) {
        const struct text_place *place = &evidence[e].place;
        if (place->in_title != in_title || i < place->offset ||
            i >= place->offset + place->bytes.len)
            continue;
        bool aside = evidence[e].weight == 0;
        if (evidence[e].what == EVIDENCE_URGENCY && !aside)
            return 1 + EVIDENCE_URGENCY;
        if (colour == 0 || (colour == 1 + SET_ASIDE && !aside))
            colour = 1 + (aside ? (unsigned)SET_ASIDE : (unsigned)evidence[e].what);
    }
    return colour;
}

void show_coloured(struct buf *out, const struct evidence *evidence, size_t count, bool in_title,
                   struct span s)
{
    unsigned before = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned now = colour_at(evidence, count, in_title, i);
        if (now != before) {
            buf_str(out, before == 0 ? "" : colour_off);
            buf_str(out, now == 0 ? "" : now == 1 + SET_ASIDE ? set_aside : colours[now - 1]);
        }
        show_plain(out, span_sub(s, i, i + 1));
        before = now;
    }
    if (before != 0)
        buf_str(out, colour_off);
}

void show_evidence(struct buf *out, const struct evidence *e, bool colour)
{
    buf_printf(out, e->weight == 0 ? "%g " : "%+g ", e->weight);
    buf_str(out, colour ? colours[e->what] : "");
    buf_str(out, "“");
    show_plain(out, e->place.bytes);
    buf_str(out, "”");
    buf_str(out, colour ? colour_off : "");
    buf_printf(out, " %s %.*s, %.*s", evidence_for_name(e->what), SPAN_ARG(e->target),
               SPAN_ARG(e->rule));
    if (!span_eq(e->pattern, e->place.bytes))
        buf_printf(out, " as %.*s", SPAN_ARG(e->pattern));
    if (e->weight == 0)
        buf_str(out, " (set aside)");
}

struct span show_path(const struct verdict *v)
{
    return v->category.path.len == 0 ? SPAN("(no category)") : v->category.path;
}

void show_verdict(struct buf *out, const struct verdict *v)
{
    struct span path = show_path(v);
    buf_printf(out, "%.*s, %s, %s", SPAN_ARG(path), urgency_name(v->urgency), kind_name(v->kind));
    for (size_t i = 0; i < v->tag_count; i++)
        buf_printf(out, ", %.*s", SPAN_ARG(v->tags[i]));
    if (v->review)
        buf_printf(out, ", review (%.*s)", SPAN_ARG(v->review_reason));
}
