import CSpawn
import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A folder that stands at `/pfs` for one program and what it starts, in a mount table of their own (`pps.md` §6.4).
struct PfsMount: Equatable, Sendable {
    /// Where users' code looks for its inputs.
    static let standardPoint = "/pfs"

    var folder: String
    var point = PfsMount.standardPoint
    /// Whether the mount table comes with a user namespace: for servers that may not mount otherwise.
    var usesUserNamespace = false

    /// Sees to it that there is something to mount on: an empty folder, made once and left there. The machine's own
    /// content of it stays what it is.
    func prepare() throws(SpileError) {
        guard PosixFiles.isFolder(folder) else {
            throw SpileError(.internal, "there is no folder \(folder) to mount at \(point)")
        }
        if PosixFiles.isFolder(point) { return }
        guard mkdir(point, 0o755) == 0 || errno == EEXIST && PosixFiles.isFolder(point) else {
            let code = errno
            throw SpileError(
                .failedPrecondition,
                "this machine has no folder \(point) to mount inputs on, and the server cannot make it: "
                    + String(cString: strerror(code)),
                remedy: "as root, once: mkdir \(point). " + Self.otherWay)
        }
    }

    /// Where `path` lies outside of the program's view, for a path at or below the mount point; else nil.
    func source(of path: String) -> String? {
        guard path == point || path.hasPrefix(point + "/") else { return nil }
        return folder + path.dropFirst(point.count)
    }

    /// Whether a start that failed so may succeed in a user namespace.
    func isWorthAnotherTry(_ step: spile_step, errno code: Int32) -> Bool {
        !usesUserNamespace && code == EPERM
            && [SPILE_STEP_NAMESPACE, SPILE_STEP_PROPAGATION, SPILE_STEP_MOUNT].contains(step)
    }

    /// What a step of the mount's failed for; nil for a step of another kind.
    func fault(_ step: spile_step, errno code: Int32) -> SpileError? {
        let reason = String(cString: strerror(code))
        switch step {
        case SPILE_STEP_NAMESPACE, SPILE_STEP_IDENTITY_MAP:
            return SpileError(
                code == ENOSPC || code == EAGAIN || code == ENOMEM ? .resourceExhausted : .failedPrecondition,
                "this machine does not let the server give a process a \(point) of its own: \(reason)",
                remedy: "run the server as root (with CAP_SYS_ADMIN), or allow user namespaces: sysctl "
                    + "user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 and "
                    + "kernel.apparmor_restrict_unprivileged_userns=0 where the system has them. " + Self.otherWay)
        case SPILE_STEP_PROPAGATION, SPILE_STEP_MOUNT:
            return SpileError(
                .failedPrecondition, "cannot mount \(folder) at \(point): \(reason)",
                remedy: "run the server where it may mount: not in a chroot, and not where AppArmor or a container's "
                    + "profile forbids it (kernel.apparmor_restrict_unprivileged_userns=0). " + Self.otherWay)
        default: return nil
        }
    }

    private static let otherWay =
        "Or run it in a container, which needs none of this: spile server --launcher container, or "
        + "the annotation spile.io/launcher: container in the pipeline's metadata"
}
