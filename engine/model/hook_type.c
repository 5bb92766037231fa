#include "engine/model/hook_type.h"

#include "engine/base/check.h"

static const char *const names[HOOK_TYPE_COUNT] = {
#define X(constant, name, step, text) [constant] = (name),
    HOOK_TYPE_TABLE(X)
#undef X
};

static const char *const steps[HOOK_TYPE_COUNT] = {
#define X(constant, name, step, text) [constant] = (step),
    HOOK_TYPE_TABLE(X)
#undef X
};

const char *hook_type_name(enum hook_type type)
{
    CHECK(type < HOOK_TYPE_COUNT);
    return names[type];
}

const char *hook_type_word(enum hook_type type)
{
    return hook_type_name(type) + sizeof "complaint." - 1;
}

int hook_type_parse(struct span word, enum hook_type *out)
{
    for (enum hook_type t = 0; t < HOOK_TYPE_COUNT; t++) {
        if (span_eq(word, span_str(hook_type_word(t)))) {
            *out = t;
            return 0;
        }
    }
    return -1;
}

int hook_type_of_step(struct span step, bool feedback, enum hook_type *out)
{
    for (enum hook_type t = 0; t < HOOK_TYPE_COUNT; t++) {
        if (span_eq(step, span_str(steps[t]))) {
            *out = t;
            return t == HOOK_FEEDBACK && !feedback ? -1 : 0;
        }
    }
    return -1;
}
