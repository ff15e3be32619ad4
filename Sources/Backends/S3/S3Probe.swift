import Core
import NIOCore

/// Finds out whether a bucket keeps to the conditions of writes, on which everything here rests: some stores pass over
/// what they do not know, and two servers would each believe that a name is theirs.
struct S3Probe {
    let base: S3Base

    /// Throws `failedPrecondition` if not. Leaves one empty object for good, so that later starts need one request.
    func run() throws {
        let key = base.names.probe
        do {
            for _ in 0..<2 { _ = try base.service.put(key, ByteBuffer(), S3Terms(.absent)) }
        } catch let error as SpileError where error.code == .alreadyExists {
            return
        } catch let error as SpileError where error.code == .unimplemented {
            throw unfit("refuses", error)
        }
        throw unfit("ignores", nil)
    }

    private func unfit(_ what: String, _ cause: SpileError?) -> SpileError {
        SpileError(
            .failedPrecondition,
            "\(base.service.address(of: base.options.prefix)) cannot hold a store: it \(what) writes on condition "
                + "(If-None-Match)",
            remedy: "use a store of S3 that has them", cause: cause)
    }
}
