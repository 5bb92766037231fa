#include "engine/model/complaint.h"

#include "engine/base/check.h"
#include "engine/base/names.h"

static const char *const source_names[SOURCE_COUNT] = {
#define X(constant, name) [constant] = (name),
    SOURCE_TABLE(X)
#undef X
};

const char *source_name(enum source source)
{
    CHECK(source < SOURCE_COUNT);
    return source_names[source];
}

int source_parse(struct span name, enum source *out)
{
    const int at = NAMES_FIND(source_names, name);
    if (at < 0)
        return -1;
    *out = (enum source)at;
    return 0;
}
