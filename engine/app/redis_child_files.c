#include "engine/app/redis_child_files.h"

#include "engine/base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int redis_dir_program(const char *name, char *out, size_t size)
{
    struct span path = span_str(getenv("PATH"));
    while (path.len > 0) {
        struct span dir = span_cut(&path, ':');
        int len = snprintf(out, size, "%.*s/%s", SPAN_ARG(dir), name);
        if (dir.len > 0 && len > 0 && (size_t)len < size && access(out, X_OK) == 0)
            return 0;
    }
    return -1;
}

int redis_dir_open(const char *data_dir, struct err *err)
{
    int data = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0)
        return err_set(err, ERR_IO, "data folder %s: %s", data_dir, strerror(errno));
    int dir = -1;
    if (mkdirat(data, "redis", 0700) != 0 && errno != EEXIST)
        err_set(err, ERR_IO, "cannot make %s/redis: %s", data_dir, strerror(errno));
    else if ((dir = openat(data, "redis", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        err_set(err, ERR_IO, "cannot open %s/redis: %s", data_dir, strerror(errno));
    close(data);
    return dir;
}

int redis_dir_lock(int dir, struct err *err)
{
    int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        err_set(err, ERR_IO, "cannot open the lock of the embedded Redis: %s", strerror(errno));
        return -2;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    bool held = errno == EWOULDBLOCK;
    if (!held)
        err_set(err, ERR_IO, "cannot lock the folder of the embedded Redis: %s", strerror(errno));
    close(fd);
    return held ? -1 : -2;
}

int redis_dir_log(int dir, struct err *err)
{
    int fd = openat(dir, "redis.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "cannot open the embedded Redis' redis.log: %s",
                       strerror(errno));
    return fd;
}

/* The short way to a file in a folder that is open, however deep the folder lies. */
static void fd_path(int dir, char *out, size_t size)
{
    snprintf(out, size, "/proc/self/fd/%d/redis.sock", dir);
}

int redis_dir_socket(int dir, const char *data_dir, char *out, size_t size)
{
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path);
    int len = snprintf(out, size, "%s/redis/redis.sock", data_dir);
    if (len > 0 && (size_t)len < most && (size_t)len < size)
        return 0;
    fd_path(dir, out, size);
    return access("/proc/self/fd", X_OK);
}

/* The process that listens, as the kernel noted it; 0 when nobody does. */
static pid_t listener_pid(int dir)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    /* Not blocking: a frozen server does not accept, and we must not wait for it. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return 0;
    fd_path(dir, at.sun_path, sizeof(at.sun_path));
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        peer.pid = 0;
    close(fd);
    return peer.pid;
}

int redis_dir_server(int dir, pid_t *pid)
{
    *pid = listener_pid(dir);
    int fd = *pid > 0 ? pidfd_open(*pid, 0) : -1;
    /* It still listens, so the number has not gone to another process in between. */
    if (fd >= 0 && listener_pid(dir) == *pid)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}
