/// What a server and its worker tell each other over their socket: a length of four bytes, a kind, and fields; numbers
/// are little-endian, texts and lists have their length before them. A far worker's sidecar passes these on both ways.
enum WorkerFrame: Sendable {
    // MARK: From the server
    case run(number: UInt32, command: [String], variables: [String], folder: String, input: [UInt8])
    /// Kill a run, if it is still under way.
    case interrupt(number: UInt32)
    /// Let everybody read and write what stands at `/pfs`: whoever wants to has another user.
    case openFiles

    // MARK: From the worker
    /// It is ready. Sent once, before all else.
    case hello(version: UInt32)
    case output(number: UInt32, isError: Bool, bytes: [UInt8])
    /// Nothing of a run is left; `status` as `waitpid` gives it.
    case ended(number: UInt32, status: Int32)
    /// A run could not be started.
    case refused(number: UInt32, reason: String)
    case filesOpen

    /// Between a server and a far worker's sidecar.
    case far(FarFrame)

    static let version: UInt32 = 2
    /// The longest frame there is, without its length: commands and inputs come from a spec, which is shorter.
    static let longest = 64 << 20

    private static let runKind: UInt8 = 1
    private static let interruptKind: UInt8 = 2
    private static let helloKind: UInt8 = 3
    private static let outputKind: UInt8 = 4
    private static let endedKind: UInt8 = 5
    private static let refusedKind: UInt8 = 6
    private static let openFilesKind: UInt8 = 7
    private static let filesOpenKind: UInt8 = 8

    /// With its length.
    var bytes: [UInt8] {
        var writer = FrameWriter()
        switch self {
        case .run(let number, let command, let variables, let folder, let input):
            writer.begin(Self.runKind, number)
            writer.put(command.map { Array($0.utf8) })
            writer.put(variables.map { Array($0.utf8) })
            writer.put(Array(folder.utf8))
            writer.put(input)
        case .interrupt(let number): writer.begin(Self.interruptKind, number)
        case .hello(let version): writer.begin(Self.helloKind, version)
        case .output(let number, let isError, let bytes):
            writer.begin(Self.outputKind, number)
            writer.put(isError ? 1 : 0)
            writer.put(bytes)
        case .ended(let number, let status):
            writer.begin(Self.endedKind, number)
            writer.put(UInt32(bitPattern: status))
        case .refused(let number, let reason):
            writer.begin(Self.refusedKind, number)
            writer.put(Array(reason.utf8))
        case .openFiles: writer.begin(Self.openFilesKind, 0)
        case .filesOpen: writer.begin(Self.filesOpenKind, 0)
        case .far(let frame): frame.put(into: &writer)
        }
        return writer.finish()
    }

    /// Reads what stands behind a length; nil for what is no frame.
    init?(_ body: ArraySlice<UInt8>) {
        var reader = FrameFields(rest: body)
        guard let kind = reader.byte(), let number = reader.number() else { return nil }
        switch kind {
        case Self.runKind:
            guard let command = reader.list(), let variables = reader.list(), let folder = reader.bytes(),
                let input = reader.bytes()
            else { return nil }
            self = .run(
                number: number, command: command.map { String(decoding: $0, as: UTF8.self) },
                variables: variables.map { String(decoding: $0, as: UTF8.self) },
                folder: String(decoding: folder, as: UTF8.self), input: input)
        case Self.interruptKind: self = .interrupt(number: number)
        case Self.helloKind: self = .hello(version: number)
        case Self.outputKind:
            guard let stream = reader.number(), let bytes = reader.bytes() else { return nil }
            self = .output(number: number, isError: stream != 0, bytes: bytes)
        case Self.endedKind:
            guard let status = reader.number() else { return nil }
            self = .ended(number: number, status: Int32(bitPattern: status))
        case Self.refusedKind:
            guard let reason = reader.bytes() else { return nil }
            self = .refused(number: number, reason: String(decoding: reason, as: UTF8.self))
        case Self.openFilesKind: self = .openFiles
        case Self.filesOpenKind: self = .filesOpen
        default:
            guard let frame = FarFrame(kind: kind, number: number, &reader) else { return nil }
            self = .far(frame)
        }
    }
}

/// Cuts what comes over a socket into frames.
struct WorkerFrames {
    private var pending: [UInt8] = []
    /// The longest frame that is taken.
    var longest = WorkerFrame.longest

    /// Whether the other side said something that is no frame: nothing more can be understood then.
    private(set) var isBroken = false

    /// Takes the next bytes and returns the frames they complete.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [WorkerFrame] {
        pending += bytes
        var frames: [WorkerFrame] = []
        var start = 0
        while !isBroken, pending.count - start >= 4 {
            let length = pending[start..<start + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            if length > longest { isBroken = true }
            guard !isBroken, pending.count - start - 4 >= length else { break }
            guard let frame = WorkerFrame(pending[start + 4..<start + 4 + length]) else {
                isBroken = true
                break
            }
            frames.append(frame)
            start += 4 + length
        }
        pending.removeFirst(start)
        return frames
    }
}
