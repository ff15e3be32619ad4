import Core
import Versioning

/// What a program finds at `/pfs` (`pps.md` §6.4), as a folder of this machine: its inputs, an empty `out`, `.env`.
///
/// One datum, one folder, and one owner, who calls in this order: ``lay(_:variables:at:owner:)``, the launch with
/// ``path`` as its `pfsFolder`, ``finish()`` when the launch is over, ``outputs(_:)``, ``remove()``. For a worker that
/// stays up: ``lay(_:variables:at:owner:)``, ``enter(_:)``, the run, ``leave(_:)``, then the same. All of them block on
/// disk: call them on a task whose executor may block.
package struct PfsFolder: Sendable {
    /// The folder around ``path``, closed to all but the server's user.
    let folder: String
    let inputs: [LaidInput]
    let owner: PfsOwner
    private let marks: [LaidMark]
    private let lazyFiles: [LazyFile]
    private let content: LazyContent
    private var feeder: LazyFeeder?

    /// For ``LaunchOrder/pfsFolder``.
    package var path: String { folder + "/pfs" }

    /// Lays it out below `folder`, which is made (not what is above it) and must not exist: absolute, on a
    /// disk with room for all content.
    /// `variables` become the lines of `.env`; `owner` is what the launcher says of the order. Lazy files are fed from
    /// now on, or with `isForStage` while it is in a stage.
    ///
    /// Throws `notFound` for an input whose path is not in its commit, `invalidArgument` for names that cannot be laid
    /// out, `resourceExhausted` where the disk is full, `dataLoss` where stored bytes are missing; nothing of the
    /// folder is left then. Memory is bounded but for lazy files, of which each holds its path.
    package static func lay(
        _ inputs: [LaidInput], variables: [(name: String, value: String)] = [], at folder: String, owner: PfsOwner,
        isForStage: Bool = false
    ) async throws -> PfsFolder {
        for input in inputs { try input.checkName() }
        guard LocalFile.makeFolder(folder, mode: 0o700) else { throw LocalFile.fault("make folder", folder) }
        do {
            var layer = InputLayer(root: folder + "/pfs", owner: owner)
            var walk = InputWalk()
            try layer.makeFolder("")
            try await walk.lay(inputs, variables: variables) { try layer.lay($0) }
            try layer.finish()
            let readers = LazyReaders(walk.lazySources)
            var pfs = PfsFolder(
                folder: folder, inputs: inputs, owner: owner, layer: layer, content: { try readers.read($0, from: $1) })
            if !isForStage { try pfs.feed(layer.lazyFiles) }
            return pfs
        } catch {
            try? FolderRemoval.remove(folder)
            throw error
        }
    }

    /// The same for an owner who asks for no ``outputs(_:)``: it keeps no commit from being collected.
    package var released: PfsFolder {
        var other = PfsFolder(
            folder: folder, inputs: [], owner: owner, layer: InputLayer(root: path, owner: owner), content: content)
        other.feeder = feeder
        return other
    }

    private init(
        folder: String, inputs: [LaidInput], owner: PfsOwner, layer: InputLayer, content: @escaping LazyContent
    ) {
        self.folder = folder
        self.inputs = inputs
        self.owner = owner
        self.content = content
        (marks, lazyFiles) = (layer.marks, layer.lazyFiles)
    }

    private mutating func feed(_ files: [LazyFile]) throws {
        if files.isEmpty { return }
        let feeder = try LazyFeeder(files, content: content)
        feeder.start()
        self.feeder = feeder
    }

    /// Puts what is laid out at a worker's `/pfs`, where nothing else may be.
    mutating func enter(_ stage: PfsStage) throws {
        try stage.take(from: path)
        try feed(lazyFiles.map { $0.moved(from: path, to: stage.path) })
    }

    /// Takes all that is at a worker's `/pfs` back. To be called when no run is under way, and after ``finish()``.
    /// Where it throws, the worker cannot be used for another datum.
    func leave(_ stage: PfsStage) throws { try stage.move(to: path) }

    /// Ends the feeding of lazy files, also of those that nobody opened. Throws what kept one from being read to its
    /// end: what the program made of it must not be taken then. May be called again.
    package func finish() async throws { try await feeder?.end() }

    /// Hands on what the program left in `/pfs/out`, in the order of a commit's paths (`pps.md` §6.4). To be called
    /// when nothing of the launch runs any more. Throws `failedPrecondition` or `unknown` for what no commit can hold,
    /// with its path: the program has to change.
    package func outputs(_ body: (OutputFile) async throws -> Void) async throws {
        try await OutputWalk(
            view: PfsView(folder: folder), marks: marks, lazyNodes: Set(lazyFiles.map(\.node)),
            followsLinksOut: owner == .server
        ).run(body)
    }

    /// Removes the folder and all in it, whatever the program made of it; also where it is gone already. Throws
    /// `failedPrecondition` naming what the server's user may not remove.
    package func remove() async throws {
        try? await finish()
        try FolderRemoval.remove(folder)
    }

    /// One variable a line (`pps.md` §6.3); a value with line ends in quotes, as readers of such files take it.
    static func text(of variables: [(name: String, value: String)]) -> String {
        variables.map { name, value in
            guard value.utf8.contains(where: { $0 == 10 || $0 == 13 }) else { return "\(name)=\(value)\n" }
            var quoted = ""
            for scalar in value.unicodeScalars {
                switch scalar {
                case "\n": quoted += "\\n"
                case "\r": quoted += "\\r"
                case "\"", "\\": quoted += "\\\(scalar)"
                default: quoted.unicodeScalars.append(scalar)
                }
            }
            return "\(name)=\"\(quoted)\"\n"
        }.joined()
    }
}
