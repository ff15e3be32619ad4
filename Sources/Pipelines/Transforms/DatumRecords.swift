import Core
import Versioning

/// What a meta commit holds (`pps.md` §9.5), read. Blocks on disk.
package struct DatumRecords: Sendable {
    let files: CommitFiles
    private let largest: UInt64

    /// `files`: of a meta commit. `largest`: of a record that is read, in bytes; a larger one than by default would be
    /// of a datum with a hundred thousand files.
    package init(_ files: CommitFiles, largest: UInt64 = 64 << 20) {
        self.files = files
        self.largest = largest
    }

    /// The record of a datum; nil if there is none. Throws `dataLoss` for one that cannot be read, `resourceExhausted`
    /// for one that is too large.
    package func record(of id: Digest) throws -> DatumRecord? {
        let path = DatumRecord.path(of: id)
        guard let view = try files.inspect(path), !view.isDirectory else { return nil }
        guard view.size <= largest else {
            throw SpileError(.resourceExhausted, "the record of datum \(id) is larger than \(largest) bytes")
        }
        guard let record = try read(view, of: id) else {
            throw SpileError(.dataLoss, "\(files.commit.key):\(path) is not the record of a datum")
        }
        return record
    }

    /// The same, and nil also for a record that is too large or none.
    func readable(_ id: Digest) throws -> DatumRecord? {
        guard let view = try files.inspect(DatumRecord.path(of: id)), view.size <= largest else { return nil }
        return try read(view, of: id)
    }

    private func read(_ view: FileView, of id: Digest) throws -> DatumRecord? {
        guard let entry = view.entry else { return nil }
        var bytes: [UInt8] = []
        var reader = files.store.reader(entry)
        while let piece = try reader.next(maxBytes: 1 << 20) { bytes += piece }
        return DatumRecord(id: id, text: String(decoding: bytes, as: UTF8.self))
    }

    /// The ids of all datums in ascending order, those behind `marker` (going backward: before it), until `body` gives
    /// false.
    package func each(
        after marker: Digest? = nil, isReverse: Bool = false, _ body: (Digest) async throws -> Bool
    ) async throws {
        // Pages backward need a bound.
        let page = Page(
            marker: marker.map { "\(DatumRecord.folder)\($0)/" } ?? "", limit: isReverse ? Limits.filesPerPage : 0,
            isReverse: isReverse)
        var last = page
        while true {
            var count = 0
            var goesOn = true
            try await files.list(DatumRecord.folder, page: last) { view in
                count += 1
                last.marker = view.path
                let name = view.path.dropFirst(DatumRecord.folder.count).dropLast()
                guard view.isDirectory, let id = Digest(hex: String(name)) else { return true }
                goesOn = try await body(id)
                return goesOn
            }
            if !goesOn || last.limit == 0 || count < last.limit { return }
        }
    }

    /// The paths that a datum has in the job's output, absolute, until `body` gives false.
    package func outputs(of id: Digest, _ body: (String) async throws -> Bool) async throws {
        let folder = DatumRecord.outputFolder(of: id)
        _ = try await files.walk(folder) { view in
            if view.isDirectory { return true }
            return try await body("/" + FilePath.dropping(folder.utf8.count, from: view.path))
        }
    }
}
