import Core
import Testing

@testable import Pipelines

/// The file `/meta/<id>/meta` (`pps.md` §9.5).
@Suite struct DatumRecordTests {
    private let id = Digest(Array(0..<32))
    private let job = JobKey(
        pipeline: PipelineKey(project: ProjectKey("lab"), name: "p"), id: CommitID(randomHigh: 1, randomLow: 2))

    private func record() -> DatumRecord {
        let branch = RepoKey(project: ProjectKey("lab"), name: "data").branch("master")
        let plain = DatumRecord.Input(
            name: "data", branch: branch, commit: CommitID(randomHigh: 3, randomLow: 4), path: "/a \"b\"\n/ü",
            digest: Digest(Array(32..<64)), size: 1 << 40, joinOn: "", groupBy: "", isOuter: false, isLazy: false,
            emptyFiles: false)
        var full = plain
        full.path = "/d/"
        (full.joinOn, full.groupBy) = ("k1", "g")
        (full.isOuter, full.isLazy, full.emptyFiles) = (true, true, true)
        return DatumRecord(
            id: id, job: job, inputs: [plain, full], hash: Digest(Array(64..<96)), state: .failed,
            reason: "exited with code 1\n\"quoted\"",
            stats: DatumStats(
                downloadSeconds: 0.25, processSeconds: 61.000001, uploadSeconds: 0, downloadBytes: 1 << 41,
                uploadBytes: 7),
            index: 12)
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let record = record()
        #expect(DatumRecord(id: id, text: record.text) == record)
        #expect(record.inputs.map(\.isDirectory) == [false, true])
        for state in [DatumRecord.State.processed, .recovered] {
            var other = record
            other.state = state
            other.reason = ""
            other.inputs = []
            #expect(DatumRecord(id: id, text: other.text) == other)
        }
    }

    @Test func theTextIsTheContractsProtoJSON() throws {
        let text = record().text
        for part in [
            #""pipeline":{"project":{"name":"lab"},"name":"p"}"#, #""fileType":"FILE""#, #""fileType":"DIR""#,
            #""sizeBytes":"1099511627776""#, #""state":"FAILED""#, #""processTime":"61.000001s""#,
            #""downloadBytes":"2199023255552""#, #""index":"12""#, #""joinOn":"k1""#, #""outerJoin":true"#,
            #""hash":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=""#,
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
    }

    @Test(arguments: ["", "{}", "[]", "{\"job\":{}}", "not json", "{\"job\":{\"id\":\"x\"},\"hash\":\"zz\"}"])
    func whatIsNoRecordIsNone(_ text: String) { #expect(DatumRecord(id: id, text: text) == nil) }
}
