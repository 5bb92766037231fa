#include "engine/cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    ssize_t n = 1;
    while (n != 0) {
        char *room = buf_reserve(out, 65536);
        n = room == NULL ? -1 : read(fd, room, 65536);
        if (n < 0 && room != NULL && errno == EINTR)
            continue;
        if (n < 0)
            break;
        out->len += (size_t)n;
    }
    int why = errno;
    (void)close(fd);
    if (!buf_ok(out))
        return err_set(err, ERR_NOMEM, "%s: out of memory", path);
    return n == 0 ? 0 : err_set(err, ERR_IO, "%s: cannot be read: %s", path, strerror(why));
}

static int write_all(int fd, struct span bytes)
{
    while (bytes.len != 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            bytes = span_sub(bytes, (size_t)n, bytes.len);
    }
    return 0;
}

int file_replace(const char *path, struct span bytes, struct err *err)
{
    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return err_set(err, ERR_IO, "%s: the path is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: cannot be written: %s", temporary, strerror(errno));
    int done = write_all(fd, bytes);
    if (done == 0)
        done = fsync(fd);
    int why = errno;
    if (close(fd) != 0 && done == 0) {
        why = errno;
        done = -1;
    }
    if (done == 0 && rename(temporary, path) != 0) {
        why = errno;
        done = -1;
    }
    if (done == 0)
        return 0;
    (void)unlink(temporary);
    return err_set(err, ERR_IO, "%s: cannot be written: %s", path, strerror(why));
}
