import API
import Core
import Foundation
import Storage
import Versioning

/// References to the contents of file sets, which clients follow by plain HTTP (`clients.md` §1.6).
///
/// A reference is a Concat of one Slice(ContentHash(HTTP)) for each run of the file's bytes; an empty file is an empty
/// Concat. Runs follow the file's content, so a client that keeps them by their hash fetches what it does not have. The
/// URLs are good for a day at least: the file set is pinned for that time, whatever happens to its lease.
struct ContentReferences: Sendable {
    /// How much longer than asked for a pin may last, in seconds, so that it is seldom written.
    private static let slack: Double = 3600

    let history: History
    let urls: ContentURLs
    /// Where the server answers plain HTTP; nil if it does not.
    let place: HTTPPlace?
    /// The host that URLs name; nil for the one by which the caller reached the server.
    let host: String?

    /// Pins a file set and makes ready to refer to it. Throws `notFound` for one that is gone and `failedPrecondition`
    /// where plain HTTP is off.
    func open(_ handle: String, _ call: Call) async throws -> OpenReferences {
        guard let place else {
            throw SpileError(
                .failedPrecondition, "references to content need plain HTTP, which this server has off",
                remedy: "start it with --http HOST:PORT, or use ReadFileset")
        }
        guard let port = place.port else {
            throw SpileError(.unavailable, "the server does not answer plain HTTP yet", remedy: "retry")
        }
        let record = try await history.pin(
            fileSet: handle, seconds: Double(FileSetLease.longest), slack: Self.slack, as: call.principal)
        return OpenReferences(
            store: history.store, urls: urls, host: host ?? Self.host(in: call.localPeer), port: port,
            fileSet: record.id, expires: record.pinnedUntil.seconds)
    }

    /// The host part of `ipv4:1.2.3.4:567` or `ipv6:[::1]:567`, brackets kept.
    static func host(in peer: String) -> String {
        let address = peer.drop { $0 != ":" }.dropFirst()
        guard let end = address.lastIndex(of: ":"), end > address.startIndex else { return "127.0.0.1" }
        return String(address[..<end])
    }
}

/// A file set that references are being made into.
struct OpenReferences {
    /// The most runs of one file, and about the most bytes that its reference may take: an answer is one message.
    private static let runs = 8192
    private static let referenceBytes = 16 << 20
    /// What a reference to one run takes besides its URL, in bytes, rounded up.
    private static let envelope = 128

    let store: Store
    let urls: ContentURLs
    let host: String
    let port: Int
    let fileSet: FileSetID
    let expires: Int64

    /// Reads the file once, for its hashes: they are not the ones that the store keeps.
    func reference(to entry: FileEntry, at path: String, datum: String) throws -> Cdr_Ref {
        var parts: [Cdr_Ref] = []
        let longest = url(path, datum, 0..<UInt64.max).utf8.count + Self.envelope
        let limit = max(2, min(Self.runs, Self.referenceBytes / longest))
        for run in try store.runs(of: entry, limit: limit) {
            parts.append(try part(entry, run, url(path, datum, run)))
        }
        return .with { $0.concat.refs = parts }
    }

    private func url(_ path: String, _ datum: String, _ range: Range<UInt64>) -> String {
        urls.url(
            ContentRun(fileSet: fileSet, path: path, datum: datum, range: range, expires: expires), host: host,
            port: port)
    }

    private func part(_ entry: FileEntry, _ run: Range<UInt64>, _ url: String) throws -> Cdr_Ref {
        let hash = try hash(entry, run)
        let source = Cdr_Ref.with { $0.http.url = url }
        let checked = Cdr_Ref.with {
            $0.contentHash.inner = source
            $0.contentHash.algo = .blake2B256
            $0.contentHash.hash = Data(hash.bytes)
        }
        return .with {
            $0.slice.inner = checked
            $0.slice.start = 0
            $0.slice.end = UInt64(run.count)
        }
    }

    private func hash(_ entry: FileEntry, _ run: Range<UInt64>) throws -> Digest {
        var hash = Blake2b()
        var reader = store.reader(entry, offset: run.lowerBound, length: UInt64(run.count))
        while let bytes = try reader.next(maxBytes: Limits.payloadBytes) {
            try Task.checkCancellation()
            bytes.withUnsafeBytes { hash.update($0) }
        }
        return hash.finish()
    }
}
