import Core

/// How far one who follows objects has come: told what happened, it says what to do next.
///
/// All are listed, then changes are watched from that version on. A watch that ends is begun again where it got to;
/// where the server no longer knows that version, all are listed again. What goes wrong several times in a row is tried
/// after a growing pause.
struct KubernetesFollowing: Equatable {
    enum Step: Equatable {
        case list
        case watch(from: String)
        /// Wait as after so many failures in a row, then call ``waited()``.
        case wait(failures: Int)
    }

    /// What an event of a watch comes to.
    enum Reaction: Equatable {
        case changed(JSONValue)
        case removed(JSONValue)
        case none
        /// The watch is over: its connection can be closed.
        case over(JSONValue?)
    }

    private var version: String?
    private var failures = 0
    private var isToWait = false
    private var hasHeard = false

    var step: Step {
        if isToWait { return .wait(failures: failures) }
        return version.map { .watch(from: $0) } ?? .list
    }

    mutating func waited() { isToWait = false }

    mutating func listed(at version: String) {
        self.version = version
        hasHeard = false
    }

    mutating func heard(_ event: JSONValue) -> Reaction {
        guard let type = event["type"]?.string, let object = event["object"] else {
            failed()
            return .over(nil)
        }
        if type == "ERROR" {
            if object["code"]?.integer == 410 || object["reason"]?.string == "Expired" {
                gone()
                return .over(nil)
            }
            failed()
            return .over(object)
        }
        (hasHeard, failures) = (true, 0)
        if let version = object.at("metadata", "resourceVersion")?.string { self.version = version }
        return switch type {
        case "ADDED", "MODIFIED": .changed(object)
        case "DELETED": .removed(object)
        default: .none
        }
    }

    /// The watch came to its ordinary end. One that told nothing at all may be no watch.
    mutating func ended() {
        if !hasHeard { failed() }
        hasHeard = false
    }

    /// The server has forgotten the version.
    mutating func gone() {
        version = nil
        // Right after a list it should have known it.
        if !hasHeard { failed() }
        hasHeard = false
    }

    mutating func failed() {
        failures += 1
        isToWait = true
        hasHeard = false
    }
}

/// Cuts a stream of bytes into lines of bounded length: one JSON text each.
struct JSONLines {
    private var pending: [UInt8] = []
    private let mostBytes: Int

    init(mostBytes: Int = KubernetesClient.mostObjectBytes) { self.mostBytes = mostBytes }

    /// The lines that `bytes` complete, empty ones left out. Throws `resourceExhausted` for one that is too long.
    mutating func take(_ bytes: some Sequence<UInt8>) throws(SpileError) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte != UInt8(ascii: "\n") {
                pending.append(byte)
                if pending.count > mostBytes {
                    pending = []
                    throw SpileError(.resourceExhausted, "an object of Kubernetes has more than \(mostBytes) bytes")
                }
            } else if !pending.isEmpty {
                lines.append(String(decoding: pending, as: UTF8.self))
                pending.removeAll(keepingCapacity: true)
            }
        }
        return lines
    }
}
