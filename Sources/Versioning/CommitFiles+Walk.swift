import Core
import Storage

/// Listing and walking. Entries come in the order of `pfs.md` §1.6: bytewise, a directory spelled with its `/`.
extension CommitFiles {
    /// The immediate children of a directory, or the file itself; nothing for a missing path.
    package func list(_ path: String, page: Page = .all, _ body: (FileView) async throws -> Bool) async throws {
        try page.validate()
        let path = FilePath.clean(path)
        if path != "/", let file = try file(path) {
            if page.reaches(path) { _ = try await body(file) }
            return
        }
        let base = path == "/" ? "/" : path + "/"
        guard let marker = Self.place(page, in: base) else { return }
        let countdown = Countdown(page)
        if page.isReverse {
            try await childrenBackward(base, marker) { try await body($0) && countdown.goesOn() }
        } else {
            try await children(base, marker) { try await body($0) && countdown.goesOn() }
        }
    }

    /// The file or directory at `path` and everything below it. False if there is nothing.
    @discardableResult
    package func walk(_ path: String, page: Page = .all, _ body: (FileView) async throws -> Bool) async throws -> Bool {
        try page.validate()
        let path = FilePath.clean(path)
        if path != "/", let file = try file(path) {
            if page.reaches(path) { _ = try await body(file) }
            return true
        }
        let base = path == "/" ? "/" : path + "/"
        guard let top = try directory(base) else { return false }
        guard let marker = Self.place(page, in: base) else { return true }
        let countdown = Countdown(page)
        if page.isReverse {
            try await walkBackward(top, marker) { try await body($0) && countdown.goesOn() }
        } else {
            try await walkForward(top, marker) { try await body($0) && countdown.goesOn() }
        }
        return true
    }

    /// Walks what begins with `prefix`, which begins with the directory `base`, in order, and lets `descend` choose
    /// which directories to enter: others cost nothing.
    func traverse(
        _ base: String, prefix: String, descend: (String) -> Bool, _ body: (FileView) async throws -> Bool
    ) async throws {
        var cursor = store.scan(root, from: .first(of: prefix), upTo: .after(under: base))
        var open = [base]
        while let (key, entry) = try cursor.next() {
            // Sorted: whatever else begins with the prefix came before.
            guard FilePath.has(key.path, prefix: prefix) else { return }
            guard accepts(key) else { continue }
            while open.count > 1 && !FilePath.has(key.path, prefix: open[open.count - 1]) { open.removeLast() }
            var skipped = false
            while let next = Self.directory(of: key.path, below: open[open.count - 1]) {
                guard let view = try directory(next) else { break }
                guard try await body(view) else { return }
                guard descend(next) else {
                    try cursor.seek(to: .after(under: next))
                    skipped = true
                    break
                }
                open.append(next)
            }
            if !skipped, try await !body(view(key, entry)) { return }
        }
    }

    // MARK: Forward

    private func children(_ base: String, _ marker: String, _ body: (FileView) async throws -> Bool) async throws {
        var cursor = store.scan(root, from: Self.start(base, after: marker), upTo: .after(under: base))
        while let (key, entry) = try cursor.next() {
            guard accepts(key) else { continue }
            if let child = Self.directory(of: key.path, below: base) {
                if let view = try directory(child), try await !body(view) { return }
                try cursor.seek(to: .after(under: child))
            } else if try await !body(view(key, entry)) {
                return
            }
        }
    }

    private func walkForward(_ top: FileView, _ marker: String, _ body: (FileView) async throws -> Bool) async throws {
        guard marker.isEmpty else { return try await walkAfter(marker, top.path, body) }
        guard try await body(top) else { return }
        try await traverse(top.path, prefix: top.path, descend: { _ in true }, body)
    }

    /// Goes on after an entry: the directories above the marker were reported before it.
    private func walkAfter(_ marker: String, _ base: String, _ body: (FileView) async throws -> Bool) async throws {
        let isDirectory = FilePath.endsInSeparator(marker)
        var cursor = store.scan(
            root, from: isDirectory ? .first(under: marker) : .after(marker), upTo: .after(under: base))
        var open = Self.directories(of: marker, below: base)
        while let (key, entry) = try cursor.next() {
            guard accepts(key) else { continue }
            while open.count > 1 && !FilePath.has(key.path, prefix: open[open.count - 1]) { open.removeLast() }
            while let next = Self.directory(of: key.path, below: open[open.count - 1]) {
                if let view = try directory(next), try await !body(view) { return }
                open.append(next)
            }
            guard try await body(view(key, entry)) else { return }
        }
    }

    // MARK: Backward

    private func childrenBackward(
        _ base: String, _ marker: String, _ body: (FileView) async throws -> Bool
    ) async throws {
        var below = Self.end(base, before: marker)
        // A marker further down has its directory before it.
        if let child = Self.directory(of: marker, below: base), !child.utf8.elementsEqual(marker.utf8) {
            below = .after(under: child)
        }
        while true {
            var cursor = store.scanBackward(root, below: below, downTo: .first(under: base))
            guard let (key, entry) = try cursor.next() else { return }
            if let child = Self.directory(of: key.path, below: base) {
                if let view = try directory(child), try await !body(view) { return }
                below = .first(under: child)
            } else {
                if accepts(key), try await !body(view(key, entry)) { return }
                below = key
            }
        }
    }

    /// The walk read from its end: a directory comes after everything below it.
    private func walkBackward(_ top: FileView, _ marker: String, _ body: (FileView) async throws -> Bool) async throws {
        let base = top.path
        var cursor = store.scanBackward(root, below: Self.end(base, before: marker), downTo: .first(under: base))
        var open = marker.isEmpty ? [base] : Self.directories(of: marker, below: base)
        if FilePath.endsInSeparator(marker) && open.count > 1 && open[open.count - 1] == marker { open.removeLast() }
        while let (key, entry) = try cursor.next() {
            guard accepts(key) else { continue }
            while open.count > 1 && !FilePath.has(key.path, prefix: open[open.count - 1]) {
                if let view = try directory(open.removeLast()), try await !body(view) { return }
            }
            while let next = Self.directory(of: key.path, below: open[open.count - 1]) { open.append(next) }
            guard try await body(view(key, entry)) else { return }
        }
        while let last = open.popLast() {
            if let view = try directory(last), try await !body(view) { return }
        }
    }

    // MARK: Path arithmetic

    /// The marker as it concerns a directory: empty if everything there lies beyond it, nil if nothing does.
    private static func place(_ page: Page, in base: String) -> String? {
        let marker = page.marker
        if marker.isEmpty { return "" }
        let isBase = marker.utf8.elementsEqual(base.utf8)
        if FilePath.has(marker, prefix: base) { return page.isReverse && isBase ? nil : marker }
        return FilePath.precedes(marker, base) == page.isReverse ? nil : ""
    }

    /// The directory right below `base` that `path` lies in, with its `/`; nil if it is a child itself.
    static func directory(of path: String, below base: String) -> String? {
        let rest = path.utf8.dropFirst(base.utf8.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        return String(path[...slash])
    }

    /// `base` and all directories between it and `path`, outermost first, `path` itself if it ends in `/`.
    static func directories(of path: String, below base: String) -> [String] {
        var result = [base]
        while let next = directory(of: path, below: result[result.count - 1]) { result.append(next) }
        return result
    }

    private static func start(_ base: String, after marker: String) -> TreeKey {
        if marker.isEmpty || marker.utf8.elementsEqual(base.utf8) { return .first(under: base) }
        // A marker further down has its directory before it.
        if let child = directory(of: marker, below: base) { return .after(under: child) }
        return FilePath.endsInSeparator(marker) ? .after(under: marker) : .after(marker)
    }

    private static func end(_ base: String, before marker: String) -> TreeKey {
        if marker.isEmpty { return .after(under: base) }
        return FilePath.endsInSeparator(marker) ? .first(under: marker) : .first(of: marker)
    }
}

/// Counts down the entries of a page.
private final class Countdown {
    private var left: Int
    init(_ page: Page) { left = page.limit == 0 ? Int.max : page.limit }

    /// Takes one; whether there is room for another.
    func goesOn() -> Bool {
        left -= 1
        return left > 0
    }
}
