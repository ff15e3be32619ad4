import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file that a program left in `/pfs/out`.
package struct OutputFile: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        /// A file of this machine.
        case local(String)
        /// The file at `path` of the commit of the input of that name, untouched by the program: it can be copied by
        /// pointer. Lazy and empty files have their whole content there.
        case input(name: String, path: String)
    }

    /// Where it belongs in the commit: absolute, and allowed there.
    package var path: String
    package var source: Source

    private static let pieceBytes = 256 << 10

    /// Reads a local file a piece at a time; to be called before its folder is removed. Blocks. Throws
    /// `failedPrecondition` if it cannot be read or is not what it was. `root`: the folder that it has to lie in, links
    /// on the way there or not, where the program may run still and may read less than the server.
    package func readLocal(within root: String? = nil, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard case .local(let name) = source else { preconditionFailure("\(path) is a file of an input") }
        guard let file = LocalFile(name, O_RDONLY), file.status?.isRegular == true else {
            throw LocalFile.fault("read", name)
        }
        if let root, !file.lies(below: root) {
            throw SpileError(
                .failedPrecondition, "/pfs/out\(path) was put elsewhere while it was taken",
                remedy: "let the program leave its files alone once it is done with a datum")
        }
        var offset: UInt64 = 0
        while true {
            guard let bytes = file.readBytes(at: offset, limit: Self.pieceBytes) else {
                throw LocalFile.fault("read", name)
            }
            if bytes.isEmpty { return }
            try bytes.withUnsafeBytes(body)
            offset += UInt64(bytes.count)
        }
    }
}
