import Core
import Versioning

/// Tells which repos a caller sees, for calls that look across many and leave out the others without a word
/// (`clients.md` §3.3). Asks once for each repo. For one call.
struct RepoFilter {
    private let history: History
    private let principal: Principal
    private let permission: Permission
    private var known: [RepoKey: Bool] = [:]

    init(_ history: History, _ principal: Principal, _ permission: Permission) {
        self.history = history
        self.principal = principal
        self.permission = permission
    }

    mutating func accepts(_ repo: RepoKey) throws -> Bool {
        if case .user = principal { return true }
        if let known = known[repo] { return known }
        return try history.read { try accepts(repo, $0) }
    }

    /// The same, on a snapshot that is there already.
    mutating func accepts(_ repo: RepoKey, _ catalog: any CatalogReader) throws -> Bool {
        if let known = known[repo] { return known }
        var access = try catalog.access(of: principal)
        let isSeen =
            try catalog.mayRead(repo, by: principal)
            && access?.has(permission, on: AccessResource(repo)) ?? true
        known[repo] = isSeen
        return isSeen
    }
}
