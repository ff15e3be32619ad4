#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSpawn.h"

#if defined(__linux__)

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
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

// What has not answered for so many seconds is gone: a pulled cable says nothing. No bound is set on how long bytes may be
// under way, since the time in which the other end has no room for more would count.
enum { FIRST_PROBE = 10, PROBE_PAUSE = 5, PROBES = 3, ACCEPT_PAUSE = 100 };

static void watch_peer(int number) {
    int on = 1, first = FIRST_PROBE, pause = PROBE_PAUSE, probes = PROBES;
    setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(number, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(number, IPPROTO_TCP, TCP_KEEPIDLE, &first, sizeof first);
    setsockopt(number, IPPROTO_TCP, TCP_KEEPINTVL, &pause, sizeof pause);
    setsockopt(number, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static int port_of(const struct sockaddr_storage *address) {
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static int bind_port(int family, const void *address, socklen_t size) {
    int number = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, off = 0;
    if (number < 0) return -1;
    setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6) setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(number, address, size) != 0 || listen(number, 128) != 0) return give_up(number);
    return number;
}

int spile_listen_port(int port, int *taken) {
    struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in old = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int number = bind_port(AF_INET6, &all, sizeof all);
    // Some machines have no IPv6 at all.
    if (number < 0 && errno != EADDRINUSE) number = bind_port(AF_INET, &old, sizeof old);
    if (number < 0) return -1;
    struct sockaddr_storage own;
    socklen_t size = sizeof own;
    if (getsockname(number, (struct sockaddr *)&own, &size) != 0) return give_up(number);
    *taken = port_of(&own);
    return number;
}

static int open_port(const char *host, const char *port, int kind) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = kind}, *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    int number = -1, error = EHOSTUNREACH;
    for (struct addrinfo *each = found; each != NULL && number < 0; each = each->ai_next) {
        number = socket(each->ai_family, kind | SOCK_CLOEXEC, 0);
        if (number >= 0 && connect(number, each->ai_addr, each->ai_addrlen) == 0) break;
        error = errno;
        if (number >= 0) close(number);
        number = -1;
    }
    freeaddrinfo(found);
    if (number < 0) errno = error;
    return number;
}

int spile_connect_port(const char *host, const char *port) {
    int number = open_port(host, port, SOCK_STREAM);
    if (number >= 0) watch_peer(number);
    return number;
}

int spile_accept_port(int listener) {
    int number = spile_accept(listener);
    // All but its own end passes: too many open files, a network that was away.
    while (number < 0 && errno != EINVAL && errno != EBADF) {
        poll(NULL, 0, ACCEPT_PAUSE);
        number = spile_accept(listener);
    }
    if (number >= 0) watch_peer(number);
    return number;
}

void spile_wait_at_most(int number, int seconds) {
    struct timeval patience = {.tv_sec = seconds};
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

int spile_own_address(const char *host, const char *port, char *text, size_t size) {
    // Nothing is sent: it only says by which way the packets of a datagram socket would go.
    int number = open_port(host, port, SOCK_DGRAM);
    if (number < 0) return -1;
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    int failed = getsockname(number, (struct sockaddr *)&own, &length) != 0
        || getnameinfo((struct sockaddr *)&own, length, text, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0;
    close(number);
    if (failed) errno = EADDRNOTAVAIL;
    return failed ? -1 : 0;
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
int spile_listen_port(int port, int *taken) { (void)port; (void)taken; return refuse(); }
int spile_connect_port(const char *host, const char *port) { (void)host; (void)port; return refuse(); }
int spile_accept_port(int listener) { (void)listener; return refuse(); }
void spile_wait_at_most(int number, int seconds) { (void)number; (void)seconds; }
int spile_own_address(const char *host, const char *port, char *text, size_t size) {
    (void)host; (void)port; (void)text; (void)size;
    return refuse();
}
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
