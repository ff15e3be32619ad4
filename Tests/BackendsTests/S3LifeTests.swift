import Core
import NIOCore
import Simulation
import Testing

@testable import Backends

/// The whole life of an object, with each of its requests going wrong in turn.
@Suite struct S3LifeTests {
    private static let old = SeededRandomness(seed: 1).bytes(150_000)
    private static let new = SeededRandomness(seed: 2).bytes(140_000)

    /// How far a life came: what was acknowledged, and what was begun after that.
    private struct Progress {
        var synced = 0
        var isCreated = false
        var isFinished = false
        var isReplaced = false
        var isRemoved = false
        var begun = ""
    }

    /// Creates, syncs twice, gives an end, replaces and removes. The end and the replacement are in parts.
    private func live(_ store: S3Store, _ progress: inout Progress) throws {
        let (old, new) = (Self.old, Self.new)
        progress.begun = "create"
        let object = try store.create("a", capacity: 0, purpose: .small)
        progress.isCreated = true
        for end in [20_000, 70_000] {
            try object.put(old[progress.synced..<end], at: progress.synced)
            try object.sync()
            progress.synced = end
        }
        try object.put(old[70_000...], at: 70_000)
        progress.begun = "finish"
        try object.finish(size: old.count, as: "b")
        progress.isFinished = true
        #expect(try store.all("b") == old)
        progress.begun = "replace"
        try new.withUnsafeBytes { try store.replace("b", with: $0) }
        progress.isReplaced = true
        #expect(try store.all("b") == new)
        #expect(try store.list() == [ObjectListing(name: "b", size: new.count)])
        progress.begun = "remove"
        try store.remove("b")
        progress.isRemoved = true
        #expect(try store.list() == [])
    }

    /// How many requests a life takes.
    private func length() throws -> Int {
        let scene = try S3Scene()
        let store = try scene.store { $0.width = 1 }
        scene.server.plan([])
        var progress = Progress()
        try live(store, &progress)
        #expect(scene.bucket.keys == [])
        return scene.server.count
    }

    @Test(arguments: [S3Fault.slowDown, .reset, .lostAnswer, .silence])
    func `one request that goes wrong changes nothing`(fault: S3Fault) throws {
        for number in 0..<(try length()) {
            let scene = try S3Scene()
            let store = try scene.store(silence: fault == .silence ? 0.2 : 20) { $0.width = 1 }
            scene.server.plan([(fault, number..<(number + 1))])
            var progress = Progress()
            do { try live(store, &progress) } catch { Issue.record("request \(number): \(error)") }
            #expect(scene.bucket.keys == [], "request \(number)")
        }
    }

    @Test func `wrong ETags in answers to writes give no wrong bytes`() throws {
        let scene = try S3Scene()
        let store = try scene.store { $0.singlePutBytes = 1 << 20 }
        scene.server.fail(.wrongETag, times: .max) { $0.method == "PUT" }
        var progress = Progress()
        try live(store, &progress)
        #expect(progress.isRemoved)
    }

    /// I6: what was acknowledged is there on the next machine, what was not is there whole or not at all.
    @Test(arguments: [S3Fault.slowDown, .lostAnswer])
    func `a machine that dies at any request leaves what it acknowledged`(fault: S3Fault) throws {
        for number in 0..<(try length()) {
            let scene = try S3Scene()
            var progress = Progress()
            do {
                let store = try scene.store { $0.width = 1 }
                // The last one is done, or not; nothing gets through afterwards.
                scene.server.plan([(fault, number..<(number + 1)), (.slowDown, (number + 1)..<Int.max)])
                #expect(throws: SpileError.self) { try live(store, &progress) }
            }
            scene.server.forgetFaults()
            try check(scene, progress, "request \(number), \(progress.begun)")
        }
    }

    private func check(_ scene: S3Scene, _ progress: Progress, _ place: Comment) throws {
        let store = try scene.store()
        let names = try store.list().map(\.name)
        let contents = names == ["b"] ? try store.all("b") : []
        switch progress.begun {
        case "create", "finish":
            if names == ["a"] {
                let size = try store.open("a").size
                #expect(size >= progress.synced, place)
                #expect(try store.open("a").take(0..<size) == Array(Self.old[..<size]), place)
                let object = try store.resume("a", keeping: size)
                try object.put(Self.old[size...], at: size)
                try object.finish(size: Self.old.count, as: "b")
            } else if names == ["b"] {
                #expect(progress.begun == "finish", place)
            } else {
                #expect(names == [] && !progress.isCreated, place)
                return
            }
            #expect(try store.all("b") == Self.old, place)
        case "replace":
            #expect(contents == (progress.isReplaced ? Self.new : contents), place)
            #expect(contents == Self.old || contents == Self.new, place)
        default:
            #expect(names == [] || contents == Self.new, place)
        }
        // Nothing else is left once a start has cleared up.
        scene.bucket.clock.advance(seconds: 100_000)
        _ = try scene.store()
        #expect(scene.bucket.keys == (try store.list().isEmpty ? [] : ["some/place/b"]), place)
        #expect(scene.bucket.uploads == 0, place)
    }
}
