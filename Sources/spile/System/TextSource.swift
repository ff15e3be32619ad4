#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// Texts a command takes from a path, from stdin (`-`) or from a URL.
enum TextSource {
    /// The bytes, and the name to use in messages.
    static func read(_ place: String, hint: String) throws -> (bytes: [UInt8], name: String) {
        if place.isEmpty || place == "-" {
            if Descriptor.input.isTerminal { Console.note(hint) }
            return (try Descriptor.input.readAll("stdin"), "stdin")
        }
        if isURL(place), Files.kind(place) == .missing { return (try fetch(place), place) }
        return (try Files.read(place), place)
    }

    static func text(_ place: String, hint: String) throws -> (text: String, name: String) {
        let (bytes, name) = try read(place, hint: hint)
        return (String(decoding: bytes, as: UTF8.self), name)
    }

    static func isURL(_ text: String) -> Bool { text.hasPrefix("http://") || text.hasPrefix("https://") }

    /// Fetches with curl, which knows proxies and certificates; the body if the answer is a success.
    static func fetch(_ url: String) throws -> [UInt8] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Files.lastError("fetch", url) }
        let pid: pid_t
        do {
            pid = try spawn(["curl", "-fsSL", "--", url], output: ends[1])
        } catch {
            throw Failure("cannot fetch \(url): curl is needed for it and is not here")
        }
        let writeEnd = Descriptor(owning: ends[1])
        let readEnd = Descriptor(owning: ends[0])
        writeEnd.close()
        defer { readEnd.close() }
        let bytes = try readEnd.readAll(url)
        if try waitFor(pid) != 0 { throw Failure("cannot fetch \(url): the server did not give it") }
        return bytes
    }
}

/// Starts a program found on the path, its stdout at `output` if given. The caller waits for it.
func spawn(_ arguments: [String], output: Int32? = nil) throws -> pid_t {
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
    #else
        var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let output { posix_spawn_file_actions_adddup2(&actions, output, 1) }
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, words[0]!, &actions, nil, words, environ)
    if code != 0 { throw Failure("cannot run \(arguments[0]): \(String(cString: strerror(code)))") }
    return pid
}

/// The exit code of a program that was started with ``spawn(_:output:)``; 128 for one that a signal ended.
func waitFor(_ pid: pid_t) throws -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
        if errno != EINTR { throw Files.lastError("wait for", "a program") }
    }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128
}
