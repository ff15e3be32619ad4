import Foundation
import Testing

/// The house of docs/ARCHITECTURE.md as data: what each room may import. The package manager does not reliably refuse
/// an undeclared import of a sibling, so this does.
private let rooms: [String: Set<String>] = [
    "Core": ["Yams"],
    "Storage": ["Core", "Crypto", "Collections"],
    "Versioning": ["Storage", "Core", "Logging"],
    "Pipelines": ["Versioning", "Core", "Logging"],
    "Backends": [
        "Core", "CSpawn", "CPostgreSQL", "AsyncHTTPClient", "Crypto", "GRDB", "Logging", "NIOCore", "NIOPosix",
        "NIOSSL",
    ],
    "CAllocator": [],
    "CSpawn": [],
    "CPostgreSQL": [],
    "API": ["SwiftProtobuf", "GRPCCore", "GRPCProtobuf"],
    "Server": [
        "Pipelines", "Versioning", "Storage", "Backends", "API", "Core", "CAllocator", "GRPCCore",
        "GRPCNIOTransportHTTP2", "GRPCProtobuf", "Hummingbird",
        "Logging", "NIOCore", "NIOHTTP2", "NIOPosix", "ServiceLifecycle", "SwiftProtobuf",
    ],
    "spile": [
        "Server", "API", "Core", "ArgumentParser", "GRPCCore", "GRPCNIOTransportHTTP2", "GRPCProtobuf", "Logging",
        "SwiftProtobuf", "Yams",
    ],
    "Simulation": ["Pipelines", "Versioning", "Storage", "Core"],
]

/// What comes with the language, free for all rooms.
private let everywhere: Set<String> = [
    "Foundation", "FoundationEssentials", "Glibc", "Musl", "Darwin", "Dispatch", "Synchronization",
]

@Suite struct ArrowTests {
    @Test(arguments: rooms.keys.sorted())
    func aRoomImportsOnlyWhatItsArrowsPointAt(room: String) throws {
        let allowed = try #require(rooms[room]).union(everywhere)
        for file in try SourceTree.swiftFiles(under: "Sources/\(room)") {
            for (line, module) in file.imports where !allowed.contains(module) {
                Issue.record("\(file.path):\(line) imports \(module), which \(room) may not")
            }
        }
    }

    @Test func everyFolderOfSourcesIsARoom() throws {
        #expect(try Set(SourceTree.folders(under: "Sources")) == Set(rooms.keys))
    }

    @Test func coreDoesNoInputOrOutput() throws {
        let banned = ["FileManager", "FileHandle", "URLSession", "getenv", "ProcessInfo"]
        for file in try SourceTree.swiftFiles(under: "Sources/Core") {
            for (number, line) in file.code where banned.contains(where: line.contains) {
                Issue.record("\(file.path):\(number) reaches outside: \(line)")
            }
        }
    }

    @Test(arguments: ["Core", "Storage", "Versioning", "Pipelines", "Simulation"])
    func timeAndChanceComeInByParameter(room: String) throws {
        let banned = [
            "Date()", "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "UUID()", "Task.detached",
            ".random(in",
        ]
        for file in try SourceTree.swiftFiles(under: "Sources/\(room)") {
            for (number, line) in file.code where banned.contains(where: line.contains) {
                Issue.record("\(file.path):\(number) takes time or chance from the air: \(line)")
            }
        }
    }

    @Test func theCheckSeesAnImportItShouldRefuse() {
        let file = SourceFile(path: "x.swift", text: "import Core\n@testable import GRDB\nimport struct Yams.Node\n")
        #expect(file.imports.map(\.module) == ["Core", "GRDB", "Yams"])
    }
}

@Suite struct TidyTests {
    @Test func handwrittenLinesFitIn120Columns() throws {
        for file in try SourceTree.handwritten() {
            for (number, line) in file.lines where line.count > 120 {
                Issue.record("\(file.path):\(number) has \(line.count) columns")
            }
        }
    }

    @Test func filesStayReadable() throws {
        for file in try SourceTree.handwritten() where file.lines.count > 600 {
            Issue.record("\(file.path) has \(file.lines.count) lines: split it")
        }
    }

    @Test func nothingIsLeftForLater() throws {
        let banned = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "fatalError(\"not implemented"]
        for file in try SourceTree.handwritten() {
            for (number, line) in file.lines where banned.contains(where: line.contains) {
                Issue.record("\(file.path):\(number) is left for later: \(line)")
            }
        }
    }

    @Test func testsDoNotSleep() throws {
        let banned = ["Task." + "sleep", "usl" + "eep(", " sl" + "eep("]
        for file in try SourceTree.swiftFiles(under: "Tests") {
            for (number, line) in file.code where banned.contains(where: line.contains) {
                Issue.record("\(file.path):\(number) sleeps: wait for the event instead")
            }
        }
    }
}
