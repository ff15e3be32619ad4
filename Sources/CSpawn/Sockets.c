#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSpawn.h"

#if defined(__linux__)

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int make(const char *path, struct sockaddr_un *address) {
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int give_up(int number) {
    int error = errno;
    close(number);
    errno = error;
    return -1;
}

int spile_listen(const char *path) {
    struct sockaddr_un address;
    int number = make(path, &address);
    if (number < 0) return -1;
    unlink(path);
    if (bind(number, (struct sockaddr *)&address, sizeof address) != 0) return give_up(number);
    if (chmod(path, 0666) != 0 || listen(number, 1) != 0) return give_up(number);
    return number;
}

int spile_connect(const char *path) {
    struct sockaddr_un address;
    int number = make(path, &address);
    if (number < 0) return -1;
    return connect(number, (struct sockaddr *)&address, sizeof address) == 0 ? number : give_up(number);
}

int spile_accept(int listener) {
    int number;
    do number = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (number < 0 && (errno == EINTR || errno == ECONNABORTED));
    return number;
}

int spile_send(int number, const void *bytes, size_t count) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t sent = send(number, next, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return -1;
        next += sent;
        count -= (size_t)sent;
    }
    return 0;
}

ssize_t spile_receive(int number, void *bytes, size_t count) {
    ssize_t received;
    do received = recv(number, bytes, count, 0);
    while (received < 0 && errno == EINTR);
    return received;
}

void spile_shut(int number) { shutdown(number, SHUT_RDWR); }

#else

#include <errno.h>

static int refuse(void) {
    errno = ENOSYS;
    return -1;
}

int spile_listen(const char *path) { (void)path; return refuse(); }
int spile_connect(const char *path) { (void)path; return refuse(); }
int spile_accept(int listener) { (void)listener; return refuse(); }
int spile_send(int number, const void *bytes, size_t count) {
    (void)number; (void)bytes; (void)count;
    return refuse();
}
ssize_t spile_receive(int number, void *bytes, size_t count) {
    (void)number; (void)bytes; (void)count;
    return refuse();
}
void spile_shut(int number) { (void)number; }

#endif
