#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CSpawn.h"

#if defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child shares the caller's memory until it runs its program, while the calling thread stands still: nothing is
// copied, however large the server is. In return the child may call nothing that takes a lock or allocates.

enum { stack_bytes = 128 << 10 };

struct start {
    const struct spile_program *program;
    enum spile_step step;
    int error;
};

static int fail(struct start *start, enum spile_step step) {
    start->step = step;
    start->error = errno;
    return -1;
}

static int write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t length = (ssize_t)strlen(text);
    int is_done = write(file, text, (size_t)length) == length;
    int error = errno;
    close(file);
    errno = error;
    return is_done ? 0 : -1;
}

/// Writes `<number> <number> 1`, the map that keeps one number as it is.
static int write_map(const char *path, unsigned number) {
    char digits[16], text[40] = "";
    int count = 0;
    do digits[count++] = (char)('0' + number % 10); while ((number /= 10) > 0);
    int length = 0;
    for (int round = 0; round < 2; round++) {
        for (int at = count - 1; at >= 0; at--) text[length++] = digits[at];
        text[length++] = ' ';
    }
    text[length++] = '1';
    return write_text(path, text);
}

/// A mount table of the child's own. Mounts of the machine still come in, so that none is kept busy by it; none goes
/// out.
static int make_mount(struct start *start) {
    const struct spile_program *program = start->program;
    if (!program->mount_source) return 0;
    uid_t user = geteuid();
    gid_t group = getegid();
    int own_user = program->uses_user_namespace ? CLONE_NEWUSER : 0;
    if (unshare(CLONE_NEWNS | own_user) != 0) return fail(start, SPILE_STEP_NAMESPACE);
    if (own_user) {
        // Kernels before 3.19 have no such file, and need none.
        if (write_text("/proc/self/setgroups", "deny") != 0 && errno != ENOENT) {
            return fail(start, SPILE_STEP_IDENTITY_MAP);
        }
        if (write_map("/proc/self/uid_map", user) != 0 || write_map("/proc/self/gid_map", group) != 0) {
            return fail(start, SPILE_STEP_IDENTITY_MAP);
        }
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return fail(start, SPILE_STEP_PROPAGATION);
    if (mount(program->mount_source, program->mount_point, NULL, MS_BIND | MS_REC, NULL) != 0) {
        return fail(start, SPILE_STEP_MOUNT);
    }
    return 0;
}

/// The C library's own calls would change the whole server: its threads share what they are told.
static int change_user(struct start *start) {
    const struct spile_program *program = start->program;
    if (!program->changes_user) return 0;
    gid_t group = program->group;
    uid_t user = program->user;
    if (syscall(SYS_setgroups, 1, &group) != 0 || syscall(SYS_setresgid, group, group, group) != 0
        || syscall(SYS_setresuid, user, user, user) != 0) {
        return fail(start, SPILE_STEP_USER);
    }
    return 0;
}

/// For kernels before 5.9, one by one as `/proc` lists them.
static void close_listed(void) {
    struct entry {
        uint64_t node;
        int64_t offset;
        unsigned short length;
        unsigned char kind;
        char name[];
    };
    _Alignas(struct entry) char bytes[4096];
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    long count;
    while ((count = syscall(SYS_getdents64, folder, bytes, sizeof bytes)) > 0) {
        for (long at = 0; at < count; at += ((struct entry *)(bytes + at))->length) {
            const char *name = ((struct entry *)(bytes + at))->name;
            int file = 0;
            for (; *name >= '0' && *name <= '9'; name++) file = file * 10 + (*name - '0');
            if (*name == 0 && file > 2) (void)fcntl(file, F_SETFD, FD_CLOEXEC);
        }
    }
    close(folder);
}

static int set_files(struct start *start) {
    const struct spile_program *program = start->program;
    int input = open(program->input, O_RDONLY);
    if (input < 0) return fail(start, SPILE_STEP_INPUT);
    // Out of the way of the three numbers that are about to be given.
    int files[3] = {
        fcntl(input, F_DUPFD, 3), fcntl(program->output, F_DUPFD, 3), fcntl(program->errors, F_DUPFD, 3),
    };
    for (int number = 0; number < 3; number++) {
        if (files[number] < 0 || dup2(files[number], number) < 0) return fail(start, SPILE_STEP_OUTPUT);
    }
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return 0;
#endif
    close_listed();
    return 0;
}

static void reset_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < 65; number++) {
        if (number != SIGKILL && number != SIGSTOP) (void)sigaction(number, &action, NULL);
    }
    // After the handlers: none of the server's may run in here.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int run(void *argument) {
    struct start *start = argument;
    const struct spile_program *program = start->program;
    if (make_mount(start) == 0 && change_user(start) == 0 && set_files(start) == 0) {
        // A change of folder resolves the path anew, and so finds what has just been mounted.
        if (chdir(program->folder) != 0) {
            fail(start, SPILE_STEP_FOLDER);
        } else {
            setsid();
            reset_signals();
            execve(program->program, program->arguments, program->environment);
            fail(start, SPILE_STEP_PROGRAM);
        }
    }
    _exit(127);
}

pid_t spile_spawn(const struct spile_program *program, enum spile_step *step, int *error) {
    struct start start = {program, SPILE_STEP_PROCESS, 0};
    *step = SPILE_STEP_PROCESS;
    char *stack = mmap(
        NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        *error = errno;
        return -1;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t number = clone(run, stack + stack_bytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    *error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_bytes);
    if (number < 0 || start.error == 0) return number;
    int status;
    while (waitpid(number, &status, 0) < 0 && errno == EINTR) {}
    *step = start.step;
    *error = start.error;
    return -1;
}

int spile_become_reaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int spile_child_ends(void) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0) return -1;
    return signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
}

int spile_memory_file(void) { return memfd_create("input", MFD_CLOEXEC); }

#else

#include <errno.h>

static int refuse(void) {
    errno = ENOSYS;
    return -1;
}

int spile_become_reaper(void) { return refuse(); }
int spile_child_ends(void) { return refuse(); }
int spile_memory_file(void) { return refuse(); }

pid_t spile_spawn(const struct spile_program *program, enum spile_step *step, int *error) {
    (void)program;
    *step = SPILE_STEP_PROCESS;
    *error = ENOSYS;
    return -1;
}

#endif
