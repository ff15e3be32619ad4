import GRPCCore
import SwiftProtobuf

/// Prints messages as rows of a table, or raw.
struct Listing<Item: Message>: ~Copyable {
    private let raw: RawOutput?
    private let row: (Item) -> [String]
    private var table: Table
    private var count = 0

    init(_ header: String, raw: RawOutput?, flushesEachRow: Bool = false, row: @escaping (Item) -> [String]) {
        self.raw = raw
        self.row = row
        table = Table(header, flushesEachRow: flushesEachRow)
    }

    mutating func add(_ item: Item) throws {
        if let raw {
            try Console.write(raw.text(item, isFirst: count == 0))
        } else {
            try table.add(row(item))
        }
        count += 1
    }

    /// Writes what is held back; the header also where there was nothing.
    mutating func finish() throws {
        if raw == nil { try table.flush() }
    }

    /// Prints a whole stream.
    static func show(
        _ response: StreamingClientResponse<Item>, _ header: String, raw: RawOutput?, flushesEachRow: Bool = false,
        limit: Int64 = 0, row: @escaping (Item) -> [String]
    ) async throws {
        var listing = Listing(header, raw: raw, flushesEachRow: flushesEachRow, row: row)
        var rest = limit
        for try await item in response.messages {
            try listing.add(item)
            rest -= 1
            if rest == 0 { break }
        }
        try listing.finish()
    }
}

extension RawOutput {
    /// Prints one message.
    func show(_ message: some Message) throws { try Console.write(text(message, isFirst: true)) }
}

extension PfsText {
    /// `Label: value`, unless the value is empty.
    static func line(_ label: String, _ value: String) -> String { value.isEmpty ? "" : "\(label): \(value)\n" }
}

/// Words for the nouns of the wire.
enum PfsText {}
