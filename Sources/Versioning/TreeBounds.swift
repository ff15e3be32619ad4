import Core
import Storage

/// Bounds for scans. `/` + 1 is `0`, so everything below `/dir/` lies before `/dir0`.
extension TreeKey {
    /// The first key that a file at `path` can have.
    static func first(of path: String) -> TreeKey { TreeKey(path: path, datum: "") }
    /// After all keys of the file at `path`, before those of any other.
    static func after(_ path: String) -> TreeKey { TreeKey(path: path, datum: "\u{10FFFF}") }
    /// The first key below a directory, which ends in `/`.
    static func first(under directory: String) -> TreeKey { TreeKey(path: directory, datum: "") }
    /// After all keys below a directory, which ends in `/`.
    static func after(under directory: String) -> TreeKey {
        TreeKey(path: String(Substring(directory.utf8.dropLast())) + "0", datum: "")
    }
}
