import Core
import NIOCore

/// A key of 32 bytes in a bucket, for servers that share it.
package struct S3KeyFile: KeyFile {
    private let store: S3Store
    private let name: String

    package init(_ store: S3Store, name: String) {
        self.store = store
        self.name = name
    }

    package var path: String { store.address(of: name) }

    package func read() throws -> [UInt8]? {
        guard let key = try store.whole(name) else { return nil }
        guard key.count == LocalKeyFile.keyBytes else {
            throw SpileError(
                .dataLoss, "\(path) is not a key of \(LocalKeyFile.keyBytes) bytes",
                remedy: "put it back from a backup")
        }
        return key
    }

    package func make(_ key: [UInt8]) throws -> [UInt8] {
        do { try store.makeWhole(name, key) } catch let error as SpileError where error.code == .alreadyExists {}
        guard let made = try read() else { throw SpileError(.unavailable, "\(path) is gone as soon as it was made") }
        return made
    }
}

/// Small objects beside the segments.
extension S3Store {
    package func address(of name: String) -> String { base.service.address(of: base.names.object(name)) }

    /// All bytes of a small object; nil where there is none.
    package func whole(_ name: String) throws -> [UInt8]? {
        let key = base.names.object(name)
        do {
            let head = try base.service.head(key)
            if head.size == 0 { return [] }
            return Array(try base.service.get(key, 0..<head.size, etag: head.etag).readableBytesView)
        } catch let error as SpileError where error.code == .notFound {
            return nil
        }
    }

    /// Makes a small object, whole. Throws `alreadyExists` where there is one.
    package func makeWhole(_ name: String, _ bytes: [UInt8]) throws {
        _ = try base.service.put(base.names.object(name), ByteBuffer(bytes: bytes), S3Terms(.absent))
    }
}
