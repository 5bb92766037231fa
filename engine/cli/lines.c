#include "engine/cli/lines.h"

#include "engine/base/buf.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

struct lines {
    int fd;
    const char *path; /* borrowed */
    struct buf held;  /* read; what is before `taken` was given out */
    size_t taken;
    size_t number;
    bool ended; /* the file is */
};

struct lines *lines_open(const char *path, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    struct lines *lines = mem_zalloc(1, sizeof *lines);
    if (lines == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    lines->path = standard ? "standard input" : path;
    lines->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (lines->fd < 0) {
        err_set(err, ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
        mem_free(lines);
        return NULL;
    }
    return lines;
}

/* Reads more behind what is held. 0, or -1 and *err; sets ended at the end. */
static int fill(struct lines *lines, struct err *err)
{
    buf_consume(&lines->held, lines->taken);
    lines->taken = 0;
    char *room = buf_reserve(&lines->held, READ_BYTES);
    if (room == NULL)
        return err_set(err, ERR_NOMEM, "%s: out of memory", lines->path);
    ssize_t n;
    do
        n = read(lines->fd, room, READ_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_set(err, ERR_IO, "%s: cannot be read: %s", lines->path, strerror(errno));
    lines->held.len += (size_t)n;
    lines->ended = n == 0;
    return 0;
}

/* Cuts the line end and, in the first line, the byte order mark. */
static struct span clean(const struct lines *lines, struct span line)
{
    if (span_ends(line, SPAN("\r")))
        line.len--;
    if (lines->number == 1 && span_starts(line, SPAN("\xEF\xBB\xBF")))
        line = span_sub(line, 3, line.len);
    return line;
}

int lines_next(struct lines *lines, struct span *line, struct err *err)
{
    size_t searched = 0;
    for (;;) {
        struct span rest = span_sub(buf_view(&lines->held), lines->taken, lines->held.len);
        ptrdiff_t end = span_find_char(span_sub(rest, searched, rest.len), '\n');
        size_t length = end < 0 ? rest.len : searched + (size_t)end;
        if (length > LIMIT_INPUT_LINE_BYTES)
            return err_set(err, ERR_LIMIT, "%s:%zu: the line is longer than %d bytes", lines->path,
                           lines->number + 1, LIMIT_INPUT_LINE_BYTES);
        if (end < 0 && lines->ended && rest.len == 0)
            return 0;
        if (end >= 0 || lines->ended) {
            lines->taken += length + (end >= 0);
            lines->number++;
            *line = clean(lines, span_sub(rest, 0, length));
            return 1;
        }
        searched = rest.len;
        if (fill(lines, err) != 0)
            return -1;
    }
}

size_t lines_number(const struct lines *lines)
{
    return lines->number;
}

void lines_free(struct lines **lines)
{
    struct lines *l = *lines;
    *lines = NULL;
    if (l == NULL)
        return;
    if (l->fd != STDIN_FILENO)
        close(l->fd);
    buf_free(&l->held);
    mem_free(l);
}
