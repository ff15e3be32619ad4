import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The files of a folder as its program saw them: `folder/pfs` at `/pfs`. Links are followed by hand, because the
/// system would take their targets for this machine's own.
struct PfsView {
    /// Where a path leads to once all links are followed.
    enum Place: Equatable {
        /// To something below `/pfs`, by its path in there.
        case inside(String)
        /// Out of `/pfs`, by an absolute path of the program's world.
        case outside(String)
        case nothing
        /// Links that lead to each other.
        case circle
    }

    let folder: String

    private static let longestChain = 40

    /// Where `path`, absolute and of the program's world, lies on this machine.
    func local(_ path: String) -> String { folder + path }

    /// Follows the links of an absolute path of the program's world.
    func resolve(_ path: String) -> Place {
        var todo = Self.elements(path)
        var done: [String] = []
        var links = 0
        while let element = todo.popLast() {
            if element == "." { continue }
            if element == ".." {
                _ = done.popLast()
                continue
            }
            done.append(element)
            guard done[0] == "pfs" else {
                return .outside("/" + (done + todo.reversed()).joined(separator: "/"))
            }
            let here = "/" + done.joined(separator: "/")
            guard let info = LocalFile.status(local(here)) else { return .nothing }
            guard info.isLink else { continue }
            links += 1
            guard links <= Self.longestChain else { return .circle }
            guard let target = LocalFile.link(local(here)) else { return .nothing }
            if target.utf8.first == UInt8(ascii: "/") { done = [] } else { done.removeLast() }
            todo += Self.elements(target)
        }
        return done.isEmpty ? .outside("/") : .inside("/" + done.joined(separator: "/"))
    }

    /// Last first.
    private static func elements(_ path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).reversed().map { String(Substring($0)) }
    }
}
