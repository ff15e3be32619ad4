import Core

/// What a server and a far worker's sidecar tell each other beside what the worker itself says: as a kind, a number,
/// and one list of fields. See ``FarWorker``.
enum FarFrame: Sendable {
    // MARK: From the server; `keep`, `layEnd`, `take`, `clear` and `open` are answered
    case keep([WorkerFile])
    case lay(LaidPiece)
    case layEnd
    case take
    case clear
    /// Bytes of a FIFO, or why there are none.
    case fed([UInt8])
    case unfed(FarFault)
    /// Whether the bytes of a chunk are.
    case wanted(Bool)
    /// Open a port for code that asks for its datums; close it.
    case open
    case shut
    /// What a call at that port is answered.
    case answer(call: UInt32, [String])
    case status(call: UInt32, DatumDeskStatus)
    case cancelled(call: UInt32, Bool)
    case refuse(call: UInt32, FarFault)

    // MARK: From the sidecar
    /// Sent once, before all else.
    case join(version: UInt32, key: String)
    case kept([String])
    case done
    case failed(FarFault)
    case takenFile(path: String)
    case takenBytes([UInt8])
    /// To be answered by `wanted`.
    case takenChunk(length: UInt32, Digest)
    case takenInput(path: String, name: String, source: String)
    /// Bytes of a FIFO from an offset on: one question at a time.
    case wants(number: UInt32, offset: UInt64)
    case opened(port: UInt32)
    /// Calls at the port.
    case asks(call: UInt32, error: String)
    case statusAsked(call: UInt32)
    case cancelAsked(call: UInt32, job: String, filters: [String])

    private enum Kind: UInt8 {
        case keep = 16, layInput, layFolder, layFile, layBytes, layFIFO, layEnd, take, clear, fed, unfed, wanted, open,
            shut
        case answer, status, cancelled, refuse
        case join = 64, kept, done, failed, takenFile, takenBytes, takenChunk, takenInput, wants, opened, asks,
            statusAsked
        case cancelAsked
    }

    func put(into writer: inout FrameWriter) {
        let (kind, number, fields) = parts
        writer.begin(kind.rawValue, number)
        writer.put(fields)
    }

    private var parts: (Kind, UInt32, [[UInt8]]) {
        switch self {
        case .keep(let files):
            (.keep, 0, files.flatMap { [FrameField.of($0.path), FrameField.of(UInt64($0.mode)), $0.bytes] })
        case .lay(let piece): Self.parts(of: piece)
        case .layEnd: (.layEnd, 0, [])
        case .take: (.take, 0, [])
        case .clear: (.clear, 0, [])
        case .fed(let bytes): (.fed, 0, [bytes])
        case .unfed(let fault): (.unfed, 0, fault.fields)
        case .wanted(let isWanted): (.wanted, isWanted ? 1 : 0, [])
        case .open: (.open, 0, [])
        case .shut: (.shut, 0, [])
        case .answer(let call, let variables): (.answer, call, variables.map(FrameField.of))
        case .status(let call, let status): (.status, call, status.fields)
        case .cancelled(let call, let isDone): (.cancelled, call, isDone ? [[]] : [])
        case .refuse(let call, let fault): (.refuse, call, fault.fields)
        case .join(let version, let key): (.join, version, [FrameField.of(key)])
        case .kept(let paths): (.kept, 0, paths.map(FrameField.of))
        case .done: (.done, 0, [])
        case .failed(let fault): (.failed, 0, fault.fields)
        case .takenFile(let path): (.takenFile, 0, [FrameField.of(path)])
        case .takenBytes(let bytes): (.takenBytes, 0, [bytes])
        case .takenChunk(let length, let hash): (.takenChunk, length, [Array(hash.bytes)])
        case .takenInput(let path, let name, let source): (.takenInput, 0, [path, name, source].map(FrameField.of))
        case .wants(let number, let offset): (.wants, number, [FrameField.of(offset)])
        case .opened(let port): (.opened, port, [])
        case .asks(let call, let error): (.asks, call, [FrameField.of(error)])
        case .statusAsked(let call): (.statusAsked, call, [])
        case .cancelAsked(let call, let job, let filters): (.cancelAsked, call, ([job] + filters).map(FrameField.of))
        }
    }

    private static func parts(of piece: LaidPiece) -> (Kind, UInt32, [[UInt8]]) {
        switch piece {
        case .input(let name, let isLazy, let seconds):
            (.layInput, isLazy ? 1 : 0, [FrameField.of(name), FrameField.of(UInt64(bitPattern: seconds))])
        case .folder(let place): (.layFolder, 0, [FrameField.of(place)])
        case .file(let place, let time):
            (
                .layFile, UInt32(bitPattern: time?.nanoseconds ?? 0),
                [FrameField.of(place)] + (time.map { [FrameField.of(UInt64(bitPattern: $0.seconds))] } ?? [])
            )
        case .bytes(let bytes): (.layBytes, 0, [bytes])
        case .fifo(let place, let number): (.layFIFO, number, [FrameField.of(place)])
        }
    }

    /// Nil for what is no frame.
    init?(kind: UInt8, number: UInt32, _ reader: inout FrameFields) {
        guard let kind = Kind(rawValue: kind), let list = reader.list() else { return nil }
        let fields = FrameField.List(list)
        switch kind {
        case .keep:
            guard list.count % 3 == 0 else { return nil }
            var files: [WorkerFile] = []
            for index in stride(from: 0, to: list.count, by: 3) {
                guard let mode = fields.number(index + 1) else { return nil }
                files.append(
                    WorkerFile(
                        path: FrameField.text(list[index]), bytes: list[index + 2],
                        mode: UInt32(truncatingIfNeeded: mode)))
            }
            self = .keep(files)
        case .layInput:
            guard let name = fields.text(0), let seconds = fields.number(1) else { return nil }
            self = .lay(.input(name: name, isLazy: number == 1, seconds: Int64(bitPattern: seconds)))
        case .layFolder:
            guard let place = fields.text(0) else { return nil }
            self = .lay(.folder(place))
        case .layFile:
            guard let place = fields.text(0) else { return nil }
            let time = fields.number(1).map {
                FileTime(seconds: Int64(bitPattern: $0), nanoseconds: Int32(bitPattern: number))
            }
            self = .lay(.file(place, time: time))
        case .layBytes:
            guard let bytes = fields.bytes(0) else { return nil }
            self = .lay(.bytes(bytes))
        case .layFIFO:
            guard let place = fields.text(0) else { return nil }
            self = .lay(.fifo(place, number: number))
        case .layEnd: self = .layEnd
        case .take: self = .take
        case .clear: self = .clear
        case .fed:
            guard let bytes = fields.bytes(0) else { return nil }
            self = .fed(bytes)
        case .unfed:
            guard let fault = FarFault(fields) else { return nil }
            self = .unfed(fault)
        case .wanted: self = .wanted(number == 1)
        case .open: self = .open
        case .shut: self = .shut
        case .answer: self = .answer(call: number, list.map(FrameField.text))
        case .status:
            guard let status = DatumDeskStatus(fields) else { return nil }
            self = .status(call: number, status)
        case .cancelled: self = .cancelled(call: number, !list.isEmpty)
        case .refuse:
            guard let fault = FarFault(fields) else { return nil }
            self = .refuse(call: number, fault)
        case .join:
            guard let key = fields.text(0) else { return nil }
            self = .join(version: number, key: key)
        case .kept: self = .kept(list.map(FrameField.text))
        case .done: self = .done
        case .failed:
            guard let fault = FarFault(fields) else { return nil }
            self = .failed(fault)
        case .takenFile:
            guard let path = fields.text(0) else { return nil }
            self = .takenFile(path: path)
        case .takenBytes:
            guard let bytes = fields.bytes(0) else { return nil }
            self = .takenBytes(bytes)
        case .takenChunk:
            guard let hash = fields.bytes(0), hash.count == Digest.byteCount else { return nil }
            self = .takenChunk(length: number, Digest(hash))
        case .takenInput:
            guard let path = fields.text(0), let name = fields.text(1), let source = fields.text(2) else { return nil }
            self = .takenInput(path: path, name: name, source: source)
        case .wants:
            guard let offset = fields.number(0) else { return nil }
            self = .wants(number: number, offset: offset)
        case .opened: self = .opened(port: number)
        case .asks:
            guard let error = fields.text(0) else { return nil }
            self = .asks(call: number, error: error)
        case .statusAsked: self = .statusAsked(call: number)
        case .cancelAsked:
            guard let job = fields.text(0) else { return nil }
            self = .cancelAsked(call: number, job: job, filters: list.dropFirst().map(FrameField.text))
        }
    }
}

/// An error as the other side is told.
struct FarFault: Sendable {
    let code: SpileError.Code
    let message: String
    let remedy: String

    init(_ error: any Error) {
        let known = error as? SpileError
        code = known?.code ?? .internal
        message = known?.message ?? "\(error)"
        remedy = known?.remedy ?? ""
    }

    fileprivate init?(_ fields: FrameField.List) {
        guard let name = fields.text(0), let message = fields.text(1), let remedy = fields.text(2) else { return nil }
        code = SpileError.Code(rawValue: name) ?? .internal
        self.message = message
        self.remedy = remedy
    }

    fileprivate var fields: [[UInt8]] { [code.rawValue, message, remedy].map(FrameField.of) }
    var error: SpileError { SpileError(code, message, remedy: remedy) }
}

extension DatumDeskStatus {
    fileprivate var fields: [[UInt8]] {
        let pipeline = job.pipeline
        var fields = [worker, pipeline.project.name, pipeline.name, "\(job.id)"].map(FrameField.of)
        guard let (started, files) = datum else { return fields }
        fields.append(FrameField.of(UInt64(bitPattern: started.nanoseconds)))
        for file in files { fields += [FrameField.of(file.path), Array(file.digest.bytes)] }
        return fields
    }

    fileprivate init?(_ fields: FrameField.List) {
        guard let worker = fields.text(0), let project = fields.text(1), let name = fields.text(2),
            let id = fields.text(3).flatMap({ CommitID($0) })
        else { return nil }
        self.init(
            worker: worker, job: JobKey(pipeline: PipelineKey(project: ProjectKey(project), name: name), id: id))
        guard let started = fields.number(4) else { return }
        let files = fields.list.dropFirst(5)
        let pairs = stride(from: files.startIndex, to: files.endIndex - 1, by: 2)
        if pairs.contains(where: { files[$0 + 1].count != Digest.byteCount }) { return nil }
        datum = (
            Instant(nanoseconds: Int64(bitPattern: started)),
            pairs.map { (FrameField.text(files[$0]), Digest(files[$0 + 1])) }
        )
    }
}

/// Texts and numbers as fields.
private enum FrameField {
    static func of(_ text: String) -> [UInt8] { Array(text.utf8) }
    static func of(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    static func text(_ field: [UInt8]) -> String { String(decoding: field, as: UTF8.self) }

    struct List {
        let list: [[UInt8]]
        init(_ list: [[UInt8]]) { self.list = list }

        func bytes(_ index: Int) -> [UInt8]? { index < list.count ? list[index] : nil }
        func text(_ index: Int) -> String? { bytes(index).map(FrameField.text) }
        func number(_ index: Int) -> UInt64? {
            guard let bytes = bytes(index), bytes.count == 8 else { return nil }
            return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
