import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A process, told apart from all others that ever had its number: by its start time and the boot of the machine.
struct ProcessIdentity: Hashable, Sendable {
    var number: pid_t
    /// In clock ticks since the boot.
    var start: UInt64
    var boot: String

    /// A process that lives now; nil if there is none of the number.
    init?(_ number: pid_t) {
        guard let stat = Self.stat(number), stat.state != "Z" else { return nil }
        self.init(number: number, start: stat.start, boot: Self.boot)
    }

    /// A process that lives now or has ended and not been waited for.
    init?(child number: pid_t) {
        guard let stat = Self.stat(number) else { return nil }
        self.init(number: number, start: stat.start, boot: Self.boot)
    }

    private init(number: pid_t, start: UInt64, boot: String) {
        self.number = number
        self.start = start
        self.boot = boot
    }

    /// Reads ``text``.
    init?(text: some StringProtocol) {
        let parts = text.split(separator: ":")
        guard parts.count == 3, let number = pid_t(parts[0]), let start = UInt64(parts[1]) else { return nil }
        self.init(number: number, start: start, boot: String(parts[2]))
    }

    var text: String { "\(number):\(start):\(boot)" }

    var isAlive: Bool { ProcessIdentity(number) == self }

    static let boot: String = {
        let bytes = PosixFiles.read("/proc/sys/kernel/random/boot_id") ?? []
        return String(decoding: bytes, as: UTF8.self).filter { $0.isHexDigit || $0 == "-" }
    }()

    /// The process that a process is a child of.
    static func parent(of number: pid_t) -> pid_t? { stat(number)?.parent }

    /// State, parent and start time: the 3rd, 4th and 22nd field, counted behind the name, which may hold anything.
    private static func stat(_ number: pid_t) -> (state: String, parent: pid_t, start: UInt64)? {
        guard let bytes = PosixFiles.read("/proc/\(number)/stat") else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let parent = pid_t(fields[1]), let start = UInt64(fields[19]) else { return nil }
        return (String(fields[0]), parent, start)
    }

    /// Processes whose environment has `name` with a value that begins with `prefix`, this process left out.
    static func all(withVariable name: String, prefix: String) -> [ProcessIdentity] {
        let wanted = Array("\(name)=\(prefix)".utf8)
        return (PosixFiles.names("/proc") ?? []).compactMap { entry in
            guard let number = pid_t(entry), number != getpid(),
                let environment = PosixFiles.read("/proc/\(number)/environ"),
                environment.split(separator: 0).contains(where: { $0.starts(with: wanted) })
            else { return nil }
            return ProcessIdentity(number)
        }
    }
}

/// A user and group to run code as.
struct UserIdentity: Equatable, Sendable {
    var user: uid_t
    var group: gid_t

    /// Reads `name|uid[:group|gid]`; names are looked up on this machine.
    init(_ text: String) throws(SpileError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let entry = Self.user(parts[0])
        if let number = uid_t(parts[0]) {
            user = number
            group = entry?.group ?? gid_t(number)
        } else if let entry {
            (user, group) = entry
        } else {
            throw SpileError(
                .failedPrecondition, "transform.user: there is no user \"\(parts[0])\" on this machine",
                remedy: "name an existing user, or a number")
        }
        guard parts.count == 2 else { return }
        if let number = gid_t(parts[1]) {
            group = number
        } else if let found = getgrnam(parts[1]) {
            group = found.pointee.gr_gid
        } else {
            throw SpileError(
                .failedPrecondition, "transform.user: there is no group \"\(parts[1])\" on this machine",
                remedy: "name an existing group, or a number")
        }
    }

    private static func user(_ name: String) -> (user: uid_t, group: gid_t)? {
        let entry = uid_t(name).flatMap { getpwuid($0) } ?? getpwnam(name)
        return entry.map { ($0.pointee.pw_uid, $0.pointee.pw_gid) }
    }

    /// The identity to change to for `transform.user`; nil where the code runs as the server does.
    static func toChangeTo(_ text: String) throws(SpileError) -> UserIdentity? {
        if text.isEmpty { return nil }
        let wanted = try UserIdentity(text)
        if wanted.user == geteuid(), wanted.group == getegid() { return nil }
        guard geteuid() == 0 else {
            throw SpileError(
                .failedPrecondition, "transform.user: \(text) needs a server that runs as root",
                remedy: "leave transform.user out, or run the server as that user")
        }
        return wanted
    }
}
