import Core
import Versioning

extension Jobs {
    /// Ends the code of those datums of a job that are being worked on and match, at once and by SIGKILL: for each it
    /// is a try that failed, so it is run again unless it was the last one (`pps.md` §11, §17).
    ///
    /// A datum matches if each filter is the path of one of its files, or the hash of one as hexadecimal or base64;
    /// without filters all do. Returns when the code has ended. Throws `datum matching filter …` where none matches: a
    /// later call may find one while the job runs.
    package func restartDatums(
        of key: JobKey, matching filters: [String], as principal: Principal
    ) async throws {
        if case .launch(let own, _) = principal { throw Principal.refusal(of: own, "it may not restart datums") }
        try history.read { catalog in
            try catalog.require([.repoWrite], on: AccessResource(key.pipeline.repo(.user)), by: principal)
            if try catalog.job(key) == nil { throw Self.missing(key) }
        }
        let matching = (progress[key]?.active ?? [:]).values.filter { $0.matches(filters) }.compactMap(\.end)
        if matching.isEmpty {
            throw SpileError.domain(
                "datum matching filter [\(filters.joined(separator: " "))] could not be found for job ID \(key.id)",
                remedy: "inspect job shows which are being worked on")
        }
        await withDiscardingTaskGroup { group in
            for end in matching { group.addTask { await end() } }
        }
    }
}

extension JobProgress.Active {
    func matches(_ filters: [String]) -> Bool {
        filters.allSatisfy { filter in files.contains { LogInput($0).isNamed(by: filter) } }
    }
}
