import Core
import Testing

extension CatalogSuite {
    static let branches = [
        CatalogRule("a branch is found by name and id, oldest first, its provenance in order") { catalog throws in
            let (repo, made) = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let first = try writer.makeBranch("z", in: repo)
                let second = try writer.makeBranch("a", in: repo)
                let third = try writer.makeBranch("m", in: repo, provenance: [second.id, first.id])
                return (repo, [first, second, third])
            }
            try catalog.read { reader throws in
                #expect(try reader.branches(repo: repo.id) == made)
                #expect(try reader.branches(repo: nil) == made)
                #expect(try reader.branches(repo: repo.id + 1) == [])
                #expect(try reader.branch(repo: repo.id, name: "m") == made[2])
                #expect(try reader.branch(repo: repo.id, name: "M") == nil)
                #expect(try reader.branch(id: made[1].id) == made[1])
                #expect(try reader.directSubvenance(branch: made[0].id) == [made[2].id])
                #expect(try reader.directSubvenance(branch: made[2].id) == [])
            }
        },
        CatalogRule("a second branch of a name in a repo is refused, in another repo it is not") { catalog throws in
            let repo = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                _ = try writer.makeBranch("master", in: repo)
                return repo
            }
            expectAlreadyExists { _ = try catalog.write { try $0.makeBranch("master", in: repo) } }
            _ = try catalog.write { try $0.makeBranch("master", in: try $0.makeRepo("b")) }
        },
        CatalogRule("updating a branch writes its head, metadata and edges") { catalog throws in
            let expected = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let up = try writer.makeBranch("up", in: repo)
                let other = try writer.makeBranch("other", in: repo)
                var branch = try writer.makeBranch("master", in: repo, provenance: [up.id])
                branch.head = try writer.makeCommit(1, in: repo, branch: branch).sequence
                branch.provenance = [other.id, up.id]
                branch.updatedAt = Instant(nanoseconds: 99)
                branch.metadata = [:]
                try writer.update(branch)
                return branch
            }
            #expect(try catalog.read { try $0.branch(id: expected.id) } == expected)
            var without = expected
            without.provenance = []
            without.head = nil
            try catalog.write { [without] in try $0.update(without) }
            #expect(try catalog.read { try $0.branch(id: expected.id) } == without)
            #expect(try catalog.read { try $0.directSubvenance(branch: expected.provenance[0]) } == [])
        },
        CatalogRule("moving a head touches the head and its instant alone") { catalog throws in
            let (branch, commit) = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let branch = try writer.makeBranch("master", in: repo)
                let commit = try writer.makeCommit(1, in: repo, branch: branch)
                try writer.setHead(branch: branch.id, to: commit.sequence, at: Instant(nanoseconds: 77))
                return (branch, commit)
            }
            var expected = branch
            expected.head = commit.sequence
            expected.updatedAt = Instant(nanoseconds: 77)
            #expect(try catalog.read { try $0.branch(id: branch.id) } == expected)
        },
        CatalogRule("deleting a branch leaves its commits, which forget it, and cuts its edges") { catalog throws in
            let (branch, down, commit) = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let branch = try writer.makeBranch("master", in: repo)
                let down = try writer.makeBranch("down", in: repo, provenance: [branch.id])
                return (branch, down, try writer.makeCommit(1, in: repo, branch: branch))
            }
            try catalog.write { try $0.deleteBranch(id: branch.id) }
            try catalog.read { reader throws in
                #expect(try reader.branches(repo: nil).map(\.id) == [down.id])
                #expect(try reader.branch(id: down.id)?.provenance == [])
                var expected = commit
                expected.branch = nil
                #expect(try reader.commit(sequence: commit.sequence) == expected)
            }
        },
    ]

    static let commits = [
        CatalogRule("a commit comes back with all its fields and edges in order") { catalog throws in
            let commit = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let branch = try writer.makeBranch("master", in: repo)
                let first = try writer.makeCommit(1, in: repo, branch: branch)
                let second = try writer.makeCommit(2, in: repo, branch: branch, parent: first.sequence)
                return try writer.makeCommit(
                    3, in: repo, branch: branch, parent: second.sequence,
                    provenance: [second.sequence, first.sequence])
            }
            let found = try #require(try catalog.read { try $0.commit(sequence: commit.sequence) })
            #expect(found == commit)
            #expect(found.root.pointer == commit.root.pointer)
            #expect(found.root.level == 200 && found.root.files == commit.root.files)
            #expect(found.root.bytes == commit.root.bytes)
            #expect(try catalog.read { try $0.commit(repo: commit.repo, id: commit.key.id) } == commit)
            #expect(try catalog.read { try $0.commit(repo: commit.repo + 1, id: commit.key.id) } == nil)
            #expect(try catalog.read { try $0.commit(sequence: commit.sequence + 1) } == nil)
        },
        CatalogRule("an open commit comes back open") { catalog throws in
            var commit = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                return CommitRecord(
                    repo: repo.id, key: repo.key.commit(CommitID(randomHigh: 1, randomLow: 2)), branch: nil,
                    parent: nil, origin: .user, started: Instant(nanoseconds: -1), root: .empty)
            }
            commit.sequence = try catalog.write { [commit] in try $0.insert(commit) }
            let found = try #require(try catalog.read { try $0.commit(sequence: commit.sequence) })
            #expect(found == commit)
            #expect(found.isOpen && found.root.isEmpty)
        },
        CatalogRule("a second commit of a repo and set is refused, in another repo it is not") { catalog throws in
            let repo = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                _ = try writer.makeCommit(1, in: repo, branch: nil)
                return repo
            }
            expectAlreadyExists { _ = try catalog.write { try $0.makeCommit(1, in: repo, branch: nil) } }
            _ = try catalog.write { try $0.makeCommit(1, in: try $0.makeRepo("b"), branch: nil) }
            #expect(try catalog.read { try $0.commits(set: CommitID(randomHigh: .max - 1, randomLow: 1)).count } == 2)
        },
        CatalogRule("updating a commit writes what can change") { catalog throws in
            var commit = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                return try writer.makeCommit(1, in: repo, branch: try writer.makeBranch("b", in: repo))
            }
            commit.description = "other"
            commit.error = "bad"
            commit.shortcut = 77
            commit.root = .sample(99)
            commit.finishing = nil
            commit.finished = nil
            commit.metadata = ["x": "y"]
            try catalog.write { [commit] in try $0.update(commit) }
            let found = try #require(try catalog.read { try $0.commit(sequence: commit.sequence) })
            #expect(found == commit)
            #expect(found.root.pointer == commit.root.pointer)
        },
        CatalogRule("children come oldest first, derived commits newest first, within the limit") { catalog throws in
            let (parent, children, derived) = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let other = try writer.makeRepo("b")
                let parent = try writer.makeCommit(1, in: repo, branch: nil)
                let children = try (2...4).map {
                    try writer.makeCommit($0, in: repo, branch: nil, parent: parent.sequence)
                }
                let derived = try [5, 6].map {
                    try writer.makeCommit($0, in: other, branch: nil, provenance: [parent.sequence])
                }
                return (parent, children, derived)
            }
            try catalog.read { reader throws in
                let names = children.map { CommitName(key: $0.key, branch: nil) }
                #expect(try reader.children(of: parent.sequence, limit: 10) == names)
                #expect(try reader.children(of: parent.sequence, limit: 2) == Array(names.prefix(2)))
                #expect(try reader.name(of: children[0].sequence) == names[0])
                let found = try reader.directSubvenance(commit: parent.sequence, limit: 10)
                #expect(found.map(\.key) == derived.reversed().map(\.key))
                #expect(try reader.directSubvenance(commit: parent.sequence, limit: 1) == [found[0]])
                let all = derived.map(\.sequence)
                #expect(try reader.derived(from: parent.sequence, beyond: nil, limit: 10) == all)
                #expect(try reader.derived(from: parent.sequence, beyond: nil, limit: 1) == [all[0]])
                #expect(try reader.derived(from: parent.sequence, beyond: all[0], limit: 10) == [all[1]])
                #expect(try reader.derived(from: parent.sequence, beyond: all[1], limit: 10) == [])
                #expect(try reader.derived(from: all[0], beyond: nil, limit: 10) == [])
            }
        },
        CatalogRule("deleting a commit makes its children roots and cuts its edges") { catalog throws in
            let numbers = try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                let parent = try writer.makeCommit(1, in: repo, branch: nil)
                let child = try writer.makeCommit(2, in: repo, branch: nil, parent: parent.sequence)
                let derived = try writer.makeCommit(
                    3, in: try writer.makeRepo("b"), branch: nil, provenance: [parent.sequence])
                try writer.deleteCommit(sequence: parent.sequence)
                return [parent, child, derived].map(\.sequence)
            }
            try catalog.read { reader throws in
                #expect(try reader.commit(sequence: numbers[0]) == nil)
                #expect(try reader.commit(sequence: numbers[1])?.parent == nil)
                #expect(try reader.commit(sequence: numbers[2])?.provenance == [])
                #expect(try reader.lastSequence() == numbers[2])
                #expect(try reader.commitCount() == 2)
            }
        },
    ]

    /// Forty commits in two repos, some of them of one set.
    private static func makeMany(_ catalog: any Catalog) throws -> (RepoRecord, RepoRecord, [CommitRecord]) {
        try catalog.write { writer throws in
            let a = try writer.makeRepo("a")
            let b = try writer.makeRepo("b")
            var commits: [CommitRecord] = []
            for number in 1...25 as ClosedRange<UInt64> {
                commits.append(try writer.makeCommit(number, in: a, branch: nil))
                if number % 5 < 3 { commits.append(try writer.makeCommit(number, in: b, branch: nil)) }
            }
            return (a, b, commits)
        }
    }

    static let order = [
        CatalogRule("commits come in both orders, of one repo or all, page by page") { catalog throws in
            let (a, b, made) = try makeMany(catalog)
            for repo in [nil, a.id, b.id] {
                for order in [CommitOrder.oldestFirst, .newestFirst] {
                    let own = made.filter { repo == nil || $0.repo == repo }
                    let expected = order == .oldestFirst ? own : own.reversed()
                    let whole = try catalog.read {
                        try $0.commits(repo: repo, order: order, beyond: nil, limit: 1000)
                    }
                    #expect(whole == expected)
                    var pages: [CommitRecord] = []
                    while true {
                        let cursor = pages.last?.sequence
                        let page = try catalog.read {
                            try $0.commits(repo: repo, order: order, beyond: cursor, limit: 7)
                        }
                        #expect(page.count <= 7)
                        if page.isEmpty { break }
                        pages += page
                    }
                    #expect(pages == expected)
                }
            }
            #expect(try catalog.read { try $0.lastSequence() } == made.last?.sequence)
        },
        CatalogRule("sets come newest first, each once, page by page") { catalog throws in
            let (_, _, made) = try makeMany(catalog)
            var highest: [CommitID: Int64] = [:]
            for commit in made { highest[commit.key.id] = commit.sequence }
            let expected = highest.sorted { $0.value > $1.value }
            let whole = try catalog.read { try $0.commitSets(beyond: nil, limit: 1000) }
            #expect(whole.map(\.id) == expected.map(\.key))
            #expect(whole.map(\.sequence) == expected.map(\.value))
            var pages: [CommitID] = []
            var cursor: Int64?
            while true {
                let page = try catalog.read { [cursor] in try $0.commitSets(beyond: cursor, limit: 4) }
                guard let last = page.last else { break }
                pages += page.map(\.id)
                cursor = last.sequence
            }
            #expect(pages == expected.map(\.key))
            let members = try catalog.read { try $0.commits(set: made[0].key.id) }
            #expect(members == made.filter { $0.key.id == made[0].key.id })
            #expect(try catalog.read { try $0.commits(set: CommitID(randomHigh: 5, randomLow: 5)) } == [])
        },
        CatalogRule("every root is visited, oldest first, and a throw ends the visit") { catalog throws in
            let (_, _, made) = try makeMany(catalog)
            var seen: [(Int64, Root)] = []
            try catalog.read { try $0.forEachRoot { seen.append(($0, $1)) } }
            #expect(seen.map(\.0) == made.map(\.sequence))
            #expect(seen.map(\.1) == made.map(\.root))
            #expect(seen.map(\.1.pointer) == made.map(\.root.pointer))
            var count = 0
            #expect(throws: Abandoned.self) {
                try catalog.read { reader throws in
                    try reader.forEachRoot { _, _ throws in
                        count += 1
                        if count == 3 { throw Abandoned() }
                    }
                }
            }
            #expect(count == 3)
        },
        CatalogRule("an empty catalog gives nothing and 0") { catalog throws in
            try catalog.read { reader throws in
                #expect(try reader.lastSequence() == 0)
                #expect(try reader.projects() == [])
                #expect(try reader.commits(repo: nil, order: .newestFirst, beyond: nil, limit: 5) == [])
                #expect(try reader.commitSets(beyond: nil, limit: 5).isEmpty)
                #expect(try reader.pipelines(in: nil) == [])
                #expect(try reader.launches() == [])
                try reader.forEachRoot { _, _ in Issue.record("a root from nowhere") }
            }
        },
    ]
}
