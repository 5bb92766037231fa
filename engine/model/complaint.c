#include "engine/model/complaint.h"

#include "engine/base/check.h"

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
    for (unsigned i = 0; i < SOURCE_COUNT; i++) {
        if (span_eq(name, span_str(source_names[i]))) {
            *out = (enum source)i;
            return 0;
        }
    }
    return -1;
}
