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

    package func read() throws -> [UInt8]? { try store.whole(name).map(checked) }

    package func make(_ key: [UInt8]) throws -> [UInt8] { try checked(store.settle(name, key)) }

    private func checked(_ key: [UInt8]) throws -> [UInt8] {
        guard key.count == LocalKeyFile.keyBytes else {
            throw SpileError(
                .dataLoss, "\(path) is not a key of \(LocalKeyFile.keyBytes) bytes",
                remedy: "put it back from a backup")
        }
        return key
    }
}

/// Small objects beside the segments.
extension S3Store {
    package func address(of name: String) -> String { base.service.address(of: base.names.object(name)) }

    /// Bytes of the largest that is read.
    private static let mostBytes = 64 << 10

    /// All bytes of a small object; nil where there is none.
    package func whole(_ name: String) throws -> [UInt8]? {
        let key = base.names.object(name)
        do {
            let object = try base.service.open(key, most: Self.mostBytes)
            guard object.size == object.bytes.readableBytes else {
                throw SpileError(
                    .dataLoss, "\(address(of: name)) has \(object.size) bytes, which is more than it can have",
                    remedy: "look who else writes below this prefix")
            }
            return Array(object.bytes.readableBytesView)
        } catch let error as SpileError where error.code == .notFound {
            return nil
        }
    }

    /// Makes a small object, whole, unless there is one; returns the bytes of the one that stands.
    package func settle(_ name: String, _ bytes: [UInt8]) throws -> [UInt8] {
        do {
            _ = try base.service.put(base.names.object(name), ByteBuffer(bytes: bytes), S3Terms(.absent))
            return bytes
        } catch let error as SpileError where error.code == .alreadyExists {
            if let standing = try whole(name) { return standing }
            throw SpileError(.unavailable, "\(address(of: name)) is gone as soon as it was made", remedy: "retry")
        }
    }

    /// Whether nothing is below the prefix but what each start of a store leaves there.
    package func holdsNothing() throws -> Bool {
        let page = try base.service.list(prefix: base.options.prefix, next: nil)
        return page.next == nil && page.items.allSatisfy { $0.key == base.names.probe }
    }
}
