#ifndef SPILE_C_SPAWN_H
#define SPILE_C_SPAWN_H

#include <sys/types.h>

/// A program to start as the leader of a session of its own. All text stays the caller's and is read until
/// `spile_spawn` returns.
struct spile_program {
    const char *program;
    char *const *arguments;
    char *const *environment;
    /// Where it starts.
    const char *folder;
    /// Read as the standard input.
    const char *input;
    /// Open files that become its standard output and standard error; no other open file is handed on.
    int output;
    int errors;
    /// Whether it runs as `user` and `group`, with no other group.
    int changes_user;
    uid_t user;
    gid_t group;
    /// A folder that stands at `mount_point` for the program and what it starts, for nobody else; NULL for none.
    const char *mount_source;
    const char *mount_point;
    /// Whether the mount is made in a user namespace, in which the caller's user and group stand for themselves. Needs
    /// no privilege where the system allows such namespaces.
    int uses_user_namespace;
};

/// Where a start failed.
enum spile_step {
    SPILE_STEP_PROCESS,
    SPILE_STEP_NAMESPACE,
    SPILE_STEP_IDENTITY_MAP,
    SPILE_STEP_PROPAGATION,
    SPILE_STEP_MOUNT,
    SPILE_STEP_USER,
    SPILE_STEP_INPUT,
    SPILE_STEP_OUTPUT,
    SPILE_STEP_FOLDER,
    SPILE_STEP_PROGRAM,
};

/// Starts a program and returns its process number once it runs; -1 if it could not be, with the step that failed and
/// its error number. May be called by several threads at once; waits for the start, never for the program.
pid_t spile_spawn(const struct spile_program *program, enum spile_step *step, int *error);

/// Makes the caller the parent of all its descendants whose own parents end. 0, or -1 with `errno`.
int spile_become_reaper(void);

/// A file that can be read whenever a child has ended; from then on no signal tells of it. -1 with `errno` if there is
/// none. To be called while the program has one thread.
int spile_child_ends(void);

/// An empty file in memory, closed to what is started; -1 with `errno`.
int spile_memory_file(void);

// Sockets that are files. All fail by -1 with `errno`.

/// A socket that others connect to at `path`, which replaces what is there; whoever gets to the file may.
int spile_listen(const char *path);
int spile_connect(const char *path);
/// Waits for whoever connects, until the socket is shut.
int spile_accept(int listener);

// Sockets that are ports. One whose other end says nothing for half a minute, also to the system's own questions, is ended;
// where bytes are under way, when the system gives them up, which takes a quarter of an hour.

/// A port of all addresses of this machine, 0 for a free one; `taken` says which.
int spile_listen_port(int port, int *taken);
int spile_connect_port(const char *host, const char *port);
int spile_accept_port(int listener);
/// The address of this machine by which it reaches another one.
int spile_own_address(const char *host, const char *port, char *text, size_t size);

// Either.

/// Bounds how long one ``spile_receive`` waits; 0 for no bound.
void spile_wait_at_most(int number, int seconds);
/// Sends all of it, without a signal where nobody reads any more.
int spile_send(int number, const void *bytes, size_t count);
/// Waits for bytes; 0 at the end.
ssize_t spile_receive(int number, void *bytes, size_t count);
/// Ends what others wait for at a socket, which stays open.
void spile_shut(int number);

#endif
