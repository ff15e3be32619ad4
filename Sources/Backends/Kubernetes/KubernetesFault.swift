import AsyncHTTPClient
import Core
import NIOCore
import NIOPosix
import NIOSSL

/// What was asked of the API server, for its errors.
struct KubernetesAct: Sendable {
    /// As in a role: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    var verb: String
    var kind: KubernetesKind
    /// Behind a slash, a part of the object, as in a role: `pods/log`.
    var part = ""
    var name: String?
    var namespace: String

    var right: String { "\(verb) \(kind.plural)\(part)" }

    var description: String {
        let object = name.map { "\(kind.name.lowercased()) \(namespace)/\($0)" } ?? "\(kind.plural) of \(namespace)"
        return "\(verb) \(part == "/log" ? "the log of " : "")\(object)"
    }
}

/// What the API server's refusals mean, and those of the way to it.
enum KubernetesFault {
    /// The error for an answer of `status` whose body is `answer`: a Status, as a rule.
    static func error(_ act: KubernetesAct, status: UInt, _ answer: JSONValue?, text: String) -> SpileError {
        let reason = answer?["reason"]?.string ?? ""
        let said = answer?["message"]?.string ?? String(text.prefix(500))
        let (code, remedy) = meaning(act, status, reason, said)
        let words = said.isEmpty ? "the server answered \(status)" : said
        return SpileError(code, "cannot \(act.description) in Kubernetes: \(words)", remedy: remedy)
    }

    private static func meaning(
        _ act: KubernetesAct, _ status: UInt, _ reason: String, _ said: String
    ) -> (SpileError.Code, remedy: String) {
        switch (status, reason) {
        case (401, _): (.unauthenticated, "the token or certificate is not known there: give another")
        case (403, _) where said.contains("exceeded quota"):
            (.resourceExhausted, "raise the quota of namespace \(act.namespace), or ask for less in resource_requests")
        case (403, _):
            (
                .permissionDenied,
                "give this server's account the right to \(act.right) in namespace \(act.namespace), by a Role"
            )
        case (404, _): (.notFound, "")
        case (409, "AlreadyExists"): (.alreadyExists, "")
        case (409, _): (.aborted, "")
        case (410, _): (.aborted, "")
        case (400, _), (405, _), (406, _), (413, _), (415, _), (422, _):
            (.invalidArgument, "check the spec, its pod_spec and pod_patch too")
        case (429, _): (.resourceExhausted, "")
        case (500..., _): (.unavailable, "")
        default: (.unknown, "")
        }
    }

    /// The error for an answer that never came, or broke off.
    static func error(_ act: KubernetesAct, server: String, _ error: any Error) -> any Error {
        switch error {
        case is CancellationError, is SpileError: error
        // A client that has been closed does nothing more.
        case let error as HTTPClientError where error == .cancelled || error == .alreadyShutdown: CancellationError()
        case is NIOTooManyBytesError:
            failure(act, "the answer is larger than this server takes", .resourceExhausted, "")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            failure(
                act, "no trusted connection to \(server): \(error)", .failedPrecondition,
                "check the cluster's certificate authority in the kubeconfig, or the pod's ca.crt")
        case is NIOConnectionError, is IOError:
            failure(act, "no connection to \(server), or it broke: \(error)", .unavailable, "")
        case let error as HTTPClientError:
            failure(act, "\(server): \(error.description)", .unavailable, "")
        default: failure(act, "\(server): \(error)", .unavailable, "")
        }
    }

    static func failure(
        _ act: KubernetesAct, _ what: String, _ code: SpileError.Code, _ remedy: String
    ) -> SpileError {
        SpileError(code, "cannot \(act.description) in Kubernetes: \(what)", remedy: remedy)
    }
}
