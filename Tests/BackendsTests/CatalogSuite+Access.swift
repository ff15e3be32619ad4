import Core
import Testing

extension CatalogSuite {
    private static func subject(_ text: String) -> Subject { try! Subject(text) }
    private static func hash(_ byte: UInt8) -> Digest { Digest(Array(repeating: byte, count: 32)) }
    private static let repo = AccessResource.repo(project: ProjectKey("p"), name: "r")

    static let access = [
        CatalogRule("a token is found by its hash, replaced by it and taken away") { catalog throws in
            let token = TokenRecord(hash: hash(1), subject: subject("robot:a"))
            var other = TokenRecord(hash: hash(2), subject: subject("user:b"), expiresAt: Instant(nanoseconds: 9))
            try catalog.write { writer throws in for token in [other, token] { try writer.put(token) } }
            #expect(try catalog.read { try $0.tokens() } == [token, other])
            #expect(try catalog.read { try $0.token(hash: hash(2)) } == other)
            #expect(try catalog.read { try $0.token(hash: hash(3)) } == nil)
            other.expiresAt = Instant(nanoseconds: 10)
            try catalog.write { [other] in try $0.put(other) }
            #expect(try catalog.read { try $0.token(hash: hash(2)) } == other)
            #expect(try catalog.write { try $0.deleteToken(hash: hash(2)) })
            #expect(try catalog.write { try !$0.deleteToken(hash: hash(2)) })
            #expect(try catalog.read { try $0.tokens() } == [token])
        },
        CatalogRule("tokens go by their subject, or with their time") { catalog throws in
            try catalog.write { writer throws in
                for (index, expiry) in ([nil, 5, 6, 7] as [Int64?]).enumerated() {
                    try writer.put(
                        TokenRecord(
                            hash: hash(UInt8(index)), subject: subject(index == 3 ? "user:b" : "user:a"),
                            expiresAt: expiry.map { Instant(nanoseconds: $0) }))
                }
            }
            #expect(try catalog.write { try $0.deleteTokens(expiredBy: Instant(nanoseconds: 6)) } == 2)
            #expect(try catalog.write { try $0.deleteTokens(of: subject("user:a")) } == 1)
            #expect(try catalog.read { try $0.tokens() }.map(\.subject) == [subject("user:b")])
        },
        CatalogRule("a role binding is kept whole, and one without entries is not none") { catalog throws in
            let binding = RoleBinding([subject("user:a"): [.repoOwner, .repoReader], .everybody: [.repoReader]])
            #expect(try catalog.read { try $0.roleBinding(repo) } == nil)
            try catalog.write { try $0.setRoleBinding(repo, to: binding) }
            #expect(try catalog.read { try $0.roleBinding(repo) } == binding)
            #expect(try catalog.read { try $0.roleBinding(.project(ProjectKey("p"))) } == nil)
            try catalog.write { try $0.setRoleBinding(repo, to: RoleBinding()) }
            #expect(try catalog.read { try $0.roleBinding(repo) } == RoleBinding())
            try catalog.write { try $0.setRoleBinding(repo, to: nil) }
            #expect(try catalog.read { try $0.roleBinding(repo) } == nil)
        },
        CatalogRule("the roles of several subjects at a resource are one set") { catalog throws in
            let subjects = ["user:a", "group:g", "user:nobody"].map(subject)
            #expect(try catalog.read { try $0.roles(at: repo, of: subjects) } == nil)
            try catalog.write { writer throws in
                try writer.setRoleBinding(
                    repo, to: RoleBinding([subjects[0]: [.repoReader], subjects[1]: [.repoWriter, .repoReader]]))
            }
            #expect(try catalog.read { try $0.roles(at: repo, of: subjects) } == [.repoReader, .repoWriter])
            #expect(try catalog.read { try $0.roles(at: repo, of: [subjects[2]]) } == [])
        },
        CatalogRule("roles are given to one subject and taken from it") { catalog throws in
            let error = #expect(throws: SpileError.self) {
                try catalog.write { try $0.setRoles(at: repo, of: subject("user:a"), to: [.repoReader]) }
            }
            #expect(error?.message == "no role binding exists for REPO p/r")
            try catalog.write { writer throws in
                try writer.add(.repoReader, to: subject("user:a"), at: repo)
                try writer.add(.repoWriter, to: subject("user:a"), at: repo)
                try writer.setRoles(at: repo, of: subject("user:b"), to: [.repoOwner])
            }
            let both: RoleBinding = RoleBinding([
                subject("user:a"): [.repoReader, .repoWriter], subject("user:b"): [.repoOwner],
            ])
            #expect(try catalog.read { try $0.roleBinding(repo) } == both)
            try catalog.write { try $0.setRoles(at: repo, of: subject("user:a"), to: []) }
            #expect(try catalog.read { try $0.roles(at: repo, of: [subject("user:a")]) } == [])
        },
        CatalogRule("a membership is found from both ends, and shown as it was written") { catalog throws in
            let records = try [("user:b", "g"), ("user:a", "group:g"), ("user:a", "h")]
                .map { try MembershipRecord(subject($0.0), in: $0.1) }
            try catalog.write { writer throws in for record in records { try writer.put(record) } }
            try catalog.read { reader throws in
                #expect(try reader.memberships(of: subject("user:a")) == [records[1], records[2]])
                #expect(try reader.memberships(in: Subject(group: "g")) == [records[1], records[0]])
                #expect(try reader.memberships(in: nil).count == 3)
            }
            try catalog.write { try $0.deleteMembership(of: subject("user:a"), in: Subject(group: "g")) }
            #expect(try catalog.read { try $0.memberships(in: Subject(group: "g")) } == [records[0]])
        },
        CatalogRule("all that is known of accounts goes at once") { catalog throws in
            try catalog.write { writer throws in
                try writer.put(TokenRecord(hash: hash(1), subject: .root))
                try writer.setRoleBinding(.cluster, to: RoleBinding([.root: [.clusterAdmin]]))
                try writer.put(try MembershipRecord(subject("user:a"), in: "g"))
                try writer.deleteAccess()
            }
            try catalog.read { reader throws in
                #expect(try reader.tokens().isEmpty && reader.memberships(in: nil).isEmpty)
                #expect(try reader.roleBinding(.cluster) == nil)
                #expect(try reader.roles(at: .cluster, of: [.root]) == nil)
            }
        },
    ]
}
