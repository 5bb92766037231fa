#include "engine/store/reply.h"

#include "engine/store/reply_reader.h"

enum reply_type reply_type(const struct reply *reply)
{
    return reply->type;
}

struct span reply_span(const struct reply *reply)
{
    if (reply->type != REPLY_STRING && reply->type != REPLY_STATUS && reply->type != REPLY_ERROR)
        return (struct span){0};
    return span_of(reply->of.text, reply->len);
}

int64_t reply_integer(const struct reply *reply)
{
    if (reply->type == REPLY_INTEGER)
        return reply->of.integer;
    struct span digits = reply_span(reply);
    bool negative = digits.len > 0 && digits.ptr[0] == '-';
    uint64_t value;
    if (span_to_u64(span_sub(digits, negative ? 1 : 0, digits.len), INT64_MAX, &value) != 0)
        return 0;
    return negative ? -(int64_t)value : (int64_t)value;
}

size_t reply_size(const struct reply *reply)
{
    return reply->type == REPLY_ARRAY ? reply->len : 0;
}

const struct reply *reply_at(const struct reply *reply, size_t i)
{
    return i < reply_size(reply) ? &reply->of.items[i] : NULL;
}

bool reply_not_done(const struct reply *reply)
{
    static const char *const codes[] = {"LOADING ",
                                        "READONLY ",
                                        "MASTERDOWN ",
                                        "CLUSTERDOWN ",
                                        "TRYAGAIN ",
                                        "BUSY ",
                                        "OOM ",
                                        "MISCONF ",
                                        "NOREPLICAS ",
                                        "NOAUTH ",
                                        "ERR Function not found"};
    if (reply->type != REPLY_ERROR)
        return false;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (span_starts(reply_span(reply), span_str(codes[i])))
            return true;
    return false;
}
