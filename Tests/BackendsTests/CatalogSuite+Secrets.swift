import Core
import Testing

extension CatalogSuite {
    private static func secret(
        _ name: String, _ values: [String: [UInt8]] = ["k": [0, 1, 255], "": []]
    ) -> SecretRecord {
        SecretRecord(name: name, type: "Opaque", createdAt: Instant(nanoseconds: 7), values: values)
    }

    static let secrets = [
        CatalogRule("secrets come by name, with all their values") { catalog throws in
            try catalog.write { writer throws in
                for name in ["b", "a"] { try writer.insert(secret(name)) }
                try writer.insert(secret("c", [:]))
            }
            try catalog.read { reader throws in
                #expect(try reader.secrets() == [secret("a"), secret("b"), secret("c", [:])])
                #expect(try reader.secret("b") == secret("b"))
                #expect(try reader.secret("d") == nil)
            }
        },
        CatalogRule("a second secret of the name is refused and changes nothing") { catalog throws in
            try catalog.write { try $0.insert(secret("a")) }
            expectAlreadyExists { try catalog.write { try $0.insert(secret("a", ["other": [1]])) } }
            #expect(try catalog.read { try $0.secrets() } == [secret("a")])
        },
        CatalogRule("a secret goes with its values") { catalog throws in
            try catalog.write { try $0.insert(secret("a")) }
            #expect(try catalog.write { try $0.deleteSecret("a") })
            #expect(try catalog.write { try !$0.deleteSecret("a") })
            try catalog.write { try $0.insert(secret("a", ["new": [1]])) }
            #expect(try catalog.read { try $0.secret("a") } == secret("a", ["new": [1]]))
        },
        CatalogRule("defaults are kept verbatim and taken away") { catalog throws in
            let project = ProjectKey("p")
            let record = ProjectDefaultsRecord(
                json: "{\"a\": \"é\\n\"}", createdAt: Instant(nanoseconds: 1_700_000_000_123_456_789), createdBy: "me")
            #expect(try catalog.read { try $0.clusterDefaults() } == nil)
            try catalog.write { writer throws in
                try writer.setClusterDefaults(" { } ")
                try writer.setProjectDefaults(project, to: record)
            }
            try catalog.read { reader throws in
                #expect(try reader.clusterDefaults() == " { } ")
                #expect(try reader.projectDefaults(project) == record)
                #expect(try reader.projectDefaults(.standard) == nil)
            }
            try catalog.write { try $0.setProjectDefaults(project, to: nil) }
            #expect(try catalog.read { try $0.projectDefaults(project) } == nil)
        },
    ]
}
