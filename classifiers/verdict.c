#include "classifiers/verdict.h"

#include "engine/base/check.h"
#include "engine/base/names.h"

struct name_row {
    const char *name, *chinese;
};

static const struct name_row urgency_rows[] = {
#define X(constant, name, chinese) [constant] = {name, chinese},
    URGENCY_TABLE(X)
#undef X
};

static const struct name_row kind_rows[] = {
#define X(constant, name, chinese) [constant] = {name, chinese},
    KIND_TABLE(X)
#undef X
};

/* The row that bears the name in either language, or -1. */
static int row_find(const struct name_row *rows, size_t count, struct span name)
{
    const int row = names_find(&rows->name, count, sizeof *rows, name);
    return row >= 0 ? row : names_find(&rows->chinese, count, sizeof *rows, name);
}

const char *urgency_name(enum urgency urgency)
{
    CHECK((unsigned)urgency < URGENCY_COUNT);
    return urgency_rows[urgency].name;
}

const char *kind_name(enum kind kind)
{
    CHECK((unsigned)kind < KIND_COUNT);
    return kind_rows[kind].name;
}

int urgency_parse(struct span name, enum urgency *out)
{
    int row = row_find(urgency_rows, URGENCY_COUNT, name);
    if (row < 0)
        return -1;
    *out = (enum urgency)row;
    return 0;
}

int kind_parse(struct span name, enum kind *out)
{
    int row = row_find(kind_rows, KIND_COUNT, name);
    if (row < 0)
        return -1;
    *out = (enum kind)row;
    return 0;
}

const char *evidence_for_name(enum evidence_for what)
{
    static const char *const names[] = {
        [EVIDENCE_CATEGORY] = "category",
        [EVIDENCE_URGENCY] = "urgency",
        [EVIDENCE_KIND] = "kind",
        [EVIDENCE_TAG] = "tag",
    };
    CHECK((unsigned)what < sizeof names / sizeof *names);
    return names[what];
}
