/*
 * show: texts, evidence and verdicts for people's eyes.
 */
#ifndef JIESU_CLI_SHOW_H
#define JIESU_CLI_SHOW_H

#include "classifiers/verdict.h"
#include "engine/base/buf.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends a resident's bytes; control characters could move the terminal's cursor and become
 * spaces. */
void show_plain(struct buf *out, struct span s);
/* Appends the title or the text, its evidence in colour: where pieces overlap, an urgency shows,
 * else the first. What was set aside (weight 0) is struck through. */
void show_coloured(struct buf *out, const struct evidence *evidence, size_t count, bool in_title,
                   struct span s);
/* Appends one piece of evidence: +4 “words” category path, file:line as pattern, and that it was set
 * aside when its weight is 0. No line end. */
void show_evidence(struct buf *out, const struct evidence *e, bool colour);
/* Appends what a verdict says, in one line: path, urgency, kind, tags, review. No line end. */
void show_verdict(struct buf *out, const struct verdict *v);
/* The path of a verdict, or "(no category)". */
struct span show_path(const struct verdict *v);

#endif
