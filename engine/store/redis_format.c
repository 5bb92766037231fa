#include "engine/store/redis_link.h"

enum { HEAD_BYTES = 26 }; /* the end of a line, a dollar, the longest number, the end of a line */

/* What stands before an argument: one append of it, as a create has some sixty. */
static void put_head(struct buf *out, size_t len)
{
    char head[HEAD_BYTES];
    size_t at = sizeof(head);
    head[--at] = '\n';
    head[--at] = '\r';
    do {
        head[--at] = (char)('0' + len % 10);
        len /= 10;
    } while (len > 0);
    head[--at] = '$';
    head[--at] = '\n';
    head[--at] = '\r';
    buf_append(out, head + at, sizeof(head) - at);
}

void redis_format(struct buf *out, size_t argc, const struct span *argv)
{
    buf_char(out, '*');
    buf_u64(out, argc);
    for (size_t i = 0; i < argc; i++) {
        put_head(out, argv[i].len);
        buf_append(out, argv[i].ptr, argv[i].len);
    }
    buf_append(out, "\r\n", 2);
}
