#include "engine/store/redis_link.h"

void redis_format(struct buf *out, size_t argc, const struct span *argv)
{
    buf_char(out, '*');
    buf_u64(out, argc);
    for (size_t i = 0; i < argc; i++) {
        buf_str(out, "\r\n$");
        buf_u64(out, argv[i].len);
        buf_str(out, "\r\n");
        buf_span(out, argv[i]);
    }
    buf_str(out, "\r\n");
}
