import Core
import Versioning

/// A file or directory that a datum is made of.
package struct InputFile: Sendable {
    package let input: DatumInput
    /// Absolute; a directory's ends in `/`.
    package let path: String
    /// What `FileInfo.hash` shows; a directory's covers all below it.
    package let digest: Digest
    /// Bytes; a directory's are those of all files below it.
    package let size: UInt64

    /// What fed `join_on` and `group_by`, empty where the input has none: computed from the path at each call.
    package var joinKey: String { input.joinKey(of: path) }
    package var groupKey: String { input.groupKey(of: path) }
}

/// One unit of a job's work: the files that its code sees together (`pps.md` §9).
package struct Datum: Sendable {
    /// BLAKE2b-256 over name, repo, branch and path of each file in order, each followed by its length
    /// (`pps.md` §9.2): the same files make the same datum in every job and on every server. Its text is 64 lower-case
    /// digits, and sorts as it does.
    package let id: Digest
    /// In the order of the inputs, within a group by path for each of them. Never empty.
    package let files: [InputFile]

    init(_ files: [InputFile]) {
        self.files = files
        var bytes: [UInt8] = []
        for file in files {
            let branch = file.input.leaf.branch
            for text in [file.input.leaf.name, branch.repo.name, branch.name, file.path] {
                bytes += text.utf8
                withUnsafeBytes(of: Int64(text.utf8.count).bigEndian) { bytes += $0 }
            }
        }
        id = Blake2bHash.digest(bytes)
    }

    /// Says whether the datum has to be processed again: BLAKE2b-256 over the id's text, the hashes of all files that
    /// are not for reference only, and the pipeline's salt (`pps.md` §9.2).
    package func hash(salt: String) -> Digest {
        var bytes = Array("\(id)".utf8)
        for file in files where !file.input.leaf.isReference { bytes += file.digest.bytes }
        return Blake2bHash.digest(bytes + salt.utf8)
    }
}

/// What became of a datum between two evaluations of one tree. Each id comes up once.
package enum DatumChange: Sendable {
    case added(Datum)
    case removed(Datum)
    /// The same files' names, of which at least one that counts has other content: the hash differs.
    case changed(from: Datum, to: Datum)
}
