/// A commit as the newer calls name it, each way of naming a case of its own (`pfs.md` §1.3, 4).
package struct CommitPicker: Hashable, Sendable, CustomStringConvertible {
    package enum Base: Hashable, Sendable {
        /// What a branch points at now.
        case head(BranchKey)
        /// The commit of a repo that carries a set id.
        case id(CommitKey)
        /// A commit counted from the start of a branch; the first one is 0.
        case root(BranchKey, offset: Int)
    }
    package var base: Base
    /// How many parents up from there.
    package var back: Int

    package init(_ base: Base, back: Int = 0) {
        self.base = base
        self.back = back
    }

    /// What a handle with its ancestry says; throws for none at all and for malformed ancestry.
    package init(_ handle: CommitHandle) throws(SpileError) {
        switch try handle.selector() {
        case .ancestor(.id(let id), let back): self.init(.id(handle.repo.commit(id)), back: back)
        case .ancestor(.branch(let name), let back): self.init(.head(handle.repo.branch(name)), back: back)
        case .fromRoot(let name, let number, let back):
            self.init(.root(handle.repo.branch(name), offset: number - 1), back: back)
        }
    }

    package var repo: RepoKey {
        switch base {
        case .head(let branch), .root(let branch, _): branch.repo
        case .id(let key): key.repo
        }
    }

    /// As handles are written: the start of a branch is `.1` there.
    package var description: String {
        let start =
            switch base {
            case .head(let branch): "\(branch)"
            case .id(let key): "\(key)"
            case .root(let branch, let offset): "\(branch).\(offset + 1)"
            }
        return back == 0 ? start : "\(start)^\(back)"
    }
}
