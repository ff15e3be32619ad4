import Core

/// One line of a pipeline's log: printed by the user's code, or written by the server about it (`pps.md` §12).
package struct LogRecord: Sendable, Equatable {
    package var instant: Instant
    package var message: String
    /// Names the launch that printed it.
    package var worker: String
    /// Written by the server about the pipeline's life.
    package var isServer: Bool
    /// `stdout` or `stderr` for what the user's code printed; empty for the server's own lines.
    package var stream: String
    /// The job that the code ran for; nil for a spout's code and for what is about the pipeline.
    package var job: CommitID?
    /// The datum that the code was given.
    package var datum: Digest?
    /// That datum's files. Each line carries them, so that they are ``mostInputs`` at most.
    package var data: [LogInput]

    /// How many files of its datum a line names; no filter finds it by a file behind them.
    package static let mostInputs = 32

    package init(
        instant: Instant, message: String, worker: String, isServer: Bool, stream: String = "", job: CommitID? = nil,
        datum: Digest? = nil, data: [LogInput] = []
    ) {
        self.instant = instant
        self.message = message
        self.worker = worker
        self.isServer = isServer
        self.stream = stream
        self.job = job
        self.datum = datum
        self.data = Array(data.prefix(Self.mostInputs))
    }

    /// The record as a line of JSON, with its line end. `ts` comes first and has a fixed width, so that a reader can
    /// skip by time without parsing.
    package func line(of pipeline: PipelineKey) -> [UInt8] {
        var text = "{\"ts\":\"\(SpecTimestamp.format(instant))\",\"severity\":\"info\",\"projectName\":"
        JSONValue.quote(pipeline.project.name, to: &text)
        text += ",\"pipelineName\":"
        JSONValue.quote(pipeline.name, to: &text)
        text += ",\"workerId\":"
        JSONValue.quote(worker, to: &text)
        if let job { text += ",\"jobId\":\"\(job)\"" }
        if let datum { text += ",\"datumId\":\"\(datum)\"" }
        if !data.isEmpty { text += ",\"data\":[\(Self.text(data))]" }
        text += isServer ? ",\"master\":true" : ",\"user\":true,\"stream\":\"\(stream)\""
        text += ",\"message\":"
        JSONValue.quote(message, to: &text)
        text += "}\n"
        return Array(text.utf8)
    }

    private static func text(_ data: [LogInput]) -> String {
        data.map { input in
            var text = "{\"path\":"
            JSONValue.quote(input.path, to: &text)
            return text + ",\"hash\":\"\(input.base64)\"}"
        }.joined(separator: ",")
    }

    /// Reads a line; nil for one that is torn or not ours.
    init?(line: some Sequence<UInt8>) {
        guard let node = try? SpecDocument.plainJSON(String(decoding: Array(line), as: UTF8.self)),
            let instant = node["ts"]?.string.flatMap(SpecTimestamp.parse), let message = node["message"]?.string
        else { return nil }
        self.init(
            instant: instant, message: message, worker: node["workerId"]?.string ?? "",
            isServer: node["master"]?.bool ?? false, stream: node["stream"]?.string ?? "",
            job: node["jobId"]?.string.flatMap { CommitID($0) },
            datum: node["datumId"]?.string.flatMap { Digest(hex: $0) },
            data: (node["data"]?.elements ?? []).compactMap { LogInput($0) })
    }

    /// The instant of a line, without reading the rest of it; nil where the line does not begin as ours do.
    static func instant(ofLine line: some Collection<UInt8>) -> Instant? {
        let prefix = Array("{\"ts\":\"".utf8)
        guard line.starts(with: prefix) else { return nil }
        return SpecTimestamp.parse(String(decoding: line.dropFirst(prefix.count).prefix(30), as: UTF8.self))
    }
}
