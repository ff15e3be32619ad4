import Core
import Foundation
import Logging
import Synchronization

/// In which form the server writes its log.
package enum LogFormat: String, Sendable {
    /// Lines for people.
    case text
    /// One JSON object a line, for programs: time, level, label, message, metadata.
    case json
}

/// Writes each event as one line of JSON.
struct JSONLogHandler: LogHandler {
    var metadataProvider: Logger.MetadataProvider?
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    private let label: String
    private let clock: any Clock
    private let write: @Sendable (String) -> Void

    /// `write` gets whole lines, from any thread.
    init(label: String, clock: any Clock, write: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.clock = clock
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields["error"] = fields["error"] ?? "\(error)" }
        var members = [
            JSONMember("time", .string(SpecTimestamp.format(clock.now()))),
            JSONMember("level", .string(event.level.rawValue)),
            JSONMember("label", .string(label)),
            JSONMember("message", .string(event.message.description)),
        ]
        if !fields.isEmpty { members.append(JSONMember("metadata", Self.json(.dictionary(fields)))) }
        write(JSONValue.object(members).text + "\n")
    }

    private static func json(_ value: Logger.Metadata.Value) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value): .string(value.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let fields):
            .object(fields.sorted { $0.key < $1.key }.map { JSONMember($0.key, json($0.value)) })
        }
    }
}

/// Standard error, a line at a time. The mutex keeps lines whole where the system takes them in parts.
enum StandardError {
    private static let turn = Mutex(())

    static func write(_ line: String) {
        let bytes = Data(line.utf8)
        turn.withLock { _ in try? FileHandle.standardError.write(contentsOf: bytes) }
    }
}

extension Logger {
    /// The server's own logger.
    static func server(_ format: LogFormat, _ level: Level) -> Logger {
        var logger =
            switch format {
            case .text: Logger(label: "spile")
            case .json:
                Logger(label: "spile") {
                    JSONLogHandler(label: $0, clock: SystemClock(), write: StandardError.write)
                }
            }
        logger.logLevel = level
        return logger
    }
}
