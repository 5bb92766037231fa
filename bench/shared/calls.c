#include "bench/shared/calls.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/store/redis_link.h"
#include "engine/store/reply_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 65536, STALL_MS = 30000, FIRST_CALLS = 4096 };

int calls_add(struct calls *calls, size_t argc, const struct span *argv)
{
    size_t *ends =
        mem_grow(calls->ends, &calls->capacity, calls->count, FIRST_CALLS, sizeof(*ends));
    if (ends == NULL)
        return -1;
    calls->ends = ends;
    redis_format(&calls->bytes, argc, argv);
    calls->ends[calls->count++] = calls->bytes.len;
    return buf_ok(&calls->bytes) ? 0 : -1;
}

void calls_clear(struct calls *calls)
{
    buf_clear(&calls->bytes);
    calls->count = 0;
}

void calls_free(struct calls *calls)
{
    buf_free(&calls->bytes);
    mem_free(calls->ends);
    *calls = (struct calls){.count = 0};
}

struct calls_pipe {
    int fd;
    struct reply_reader *reader;
    char in[READ_BYTES];
};

static int dial(const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_IO, "the socket's path is too long: %s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    (void)err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

struct calls_pipe *calls_pipe_open(const struct redis_target *target, struct err *err)
{
    struct calls_pipe *pipe = mem_zalloc(1, sizeof(*pipe));
    if (pipe == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    pipe->fd = -1;
    pipe->reader = reply_reader_new(LIMIT_REDIS_REPLY_BYTES);
    if (pipe->reader == NULL)
        (void)err_set(err, ERR_NOMEM, "out of memory");
    else
        pipe->fd = dial(target->host[0], err);
    if (pipe->fd < 0)
        calls_pipe_close(&pipe);
    return pipe;
}

void calls_pipe_close(struct calls_pipe **pipe)
{
    if (*pipe == NULL)
        return;
    if ((*pipe)->fd >= 0)
        (void)close((*pipe)->fd);
    reply_reader_free(&(*pipe)->reader);
    mem_free(*pipe);
    *pipe = NULL;
}

/* Hands on the answers that are there. */
static int take_answers(struct calls_pipe *pipe, calls_answer *answer, void *ctx, size_t *answered,
                        struct err *err)
{
    const struct reply *reply;
    int got;
    while ((got = reply_reader_next(pipe->reader, &reply, err)) == 1) {
        if (answer(ctx, *answered, reply, err) < 0)
            return -1;
        ++*answered;
    }
    return got;
}

static int read_some(struct calls_pipe *pipe, struct err *err)
{
    const ssize_t n = recv(pipe->fd, pipe->in, sizeof(pipe->in), MSG_DONTWAIT);
    if (n <= 0)
        return err_set(err, ERR_IO, "Redis closed the connection");
    return reply_reader_feed(pipe->reader, pipe->in, (size_t)n, err);
}

int calls_push(struct calls_pipe *pipe, const struct calls *calls, size_t window,
               calls_answer *answer, void *ctx, double *seconds, struct err *err)
{
    size_t sent = 0, answered = 0;
    const uint64_t begin = clock_steady_ns();
    while (answered < calls->count) {
        const size_t last = answered + window < calls->count ? answered + window : calls->count;
        const size_t may = calls->ends[last - 1];
        struct pollfd poller = {.fd = pipe->fd, .events = POLLIN};
        if (sent < may)
            poller.events |= POLLOUT;
        if (poll(&poller, 1, STALL_MS) <= 0)
            return err_set(err, ERR_TIMEOUT, "Redis did not answer");
        if ((poller.revents & POLLOUT) != 0) {
            const ssize_t n =
                send(pipe->fd, calls->bytes.data + sent, may - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                return err_set(err, ERR_IO, "Redis: %s", strerror(errno));
            sent += n > 0 ? (size_t)n : 0;
        }
        if ((poller.revents & ~POLLOUT) != 0 &&
            (read_some(pipe, err) < 0 || take_answers(pipe, answer, ctx, &answered, err) < 0))
            return -1;
    }
    if (seconds != NULL)
        *seconds = (double)(clock_steady_ns() - begin) / 1e9;
    return 0;
}
