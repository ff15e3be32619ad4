import AsyncHTTPClient
import Core
import Foundation
import NIOCore
import NIOPosix
import NIOSSL

/// What a store said instead of yes.
struct S3Failure {
    /// What was asked, as in "cannot read s3://bucket/key".
    var action: String
    var condition = S3Terms.Condition.none
    var status: Int
    /// S3's word for it, empty where the answer had none (answers to HEAD have no body).
    var code = ""
    var message = ""

    /// The body of an answer that is an error. One that is not XML counts as empty: proxies answer what they like.
    init(action: String, condition: S3Terms.Condition = .none, status: Int, body: ByteBuffer?) {
        self.action = action
        self.condition = condition
        self.status = status
        guard let body, let root = try? S3XML.parse(body.readableBytesView), root.name == "Error" else { return }
        code = root["Code"] ?? ""
        message = root["Message"] ?? ""
    }

    /// The same as an error of ours: what, where, and what to do.
    var error: SpileError {
        var text = "cannot \(action): the store answers \(status)"
        if !code.isEmpty { text += " \(code)" }
        if !message.isEmpty { text += ": \(message.prefix(300))" }
        let (kind, remedy) = judgement
        return SpileError(kind, text, remedy: remedy)
    }

    private var judgement: (SpileError.Code, String) { Self.byCode[code] ?? byStatus }

    /// Words whose status alone would say too little (Amazon's reference of the S3 API, "Error responses").
    private static let byCode: [String: (SpileError.Code, String)] = [
        "NoSuchBucket": (.failedPrecondition, "make the bucket, or name another"),
        "PermanentRedirect": (.failedPrecondition, regionRemedy),
        "AuthorizationHeaderMalformed": (.failedPrecondition, regionRemedy),
        "IllegalLocationConstraintException": (.failedPrecondition, regionRemedy),
        "RequestTimeTooSkewed": (.permissionDenied, "set this machine's clock"),
        "InvalidAccessKeyId": (.permissionDenied, keyRemedy),
        "SignatureDoesNotMatch": (.permissionDenied, keyRemedy),
        "ExpiredToken": (.permissionDenied, keyRemedy),
        "InvalidToken": (.permissionDenied, keyRemedy),
        "RequestTimeout": (.unavailable, ""),
        "BadDigest": (.unavailable, damageRemedy),
        "XAmzContentSHA256Mismatch": (.unavailable, damageRemedy),
        "IncompleteBody": (.unavailable, ""),
        "SlowDown": (.unavailable, ""),
        "InternalError": (.unavailable, ""),
        "ServiceUnavailable": (.unavailable, ""),
        "QuotaExceeded": (.resourceExhausted, fullRemedy),
        "XMinioStorageFull": (.resourceExhausted, fullRemedy),
    ]

    private static let regionRemedy = "check the bucket's region and the endpoint"
    private static let keyRemedy = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    private static let damageRemedy = "if it stays, look at what stands between this server and the store"
    private static let fullRemedy = "make room in the store, then try again"

    private var byStatus: (SpileError.Code, String) {
        switch status {
        case 300..<400: (.failedPrecondition, Self.regionRemedy)
        case 401, 403: (.permissionDenied, "check the key's rights on the bucket")
        case 404: (.notFound, "")
        case 405, 501: (.unimplemented, "this S3 store lacks what Spile needs")
        case 412: (condition == .absent ? .alreadyExists : .aborted, "")
        // Two conditional puts at once: neither has to have been done.
        case 408, 409, 429: (.unavailable, "")
        case 507: (.resourceExhausted, Self.fullRemedy)
        case 500...: (.unavailable, "")
        case 200..<300: (.unavailable, "")
        default: (.invalidArgument, "")
        }
    }
}

extension S3Failure {
    /// What went wrong with a connection. All of it may be over with the next one, save for certificates.
    static func error(_ action: String, host: String, _ error: any Error) -> SpileError {
        func failed(_ what: String, _ code: SpileError.Code = .unavailable, remedy: String = "") -> SpileError {
            SpileError(code, "cannot \(action): \(what)", remedy: remedy)
        }
        switch error {
        case let error as SpileError: return error
        case let error as HTTPClientError: return failed(reason(error, host: host))
        case let error as NIOConnectionError:
            guard let first = error.connectionErrors.first else { return failed("there is no host \(host)") }
            return failed("\(host) cannot be reached: \(reason(first.error))")
        case let error as IOError where connectFaults.contains(error.errnoCode):
            return failed("\(host) cannot be reached: \(reason(error))")
        case let error as IOError: return failed("the connection to \(host) broke: \(reason(error))")
        case is ResponseAccumulator.ResponseTooBigError: return failed("the answer is longer than what was asked for")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            return failed(
                "no trusted connection to \(host)", .failedPrecondition,
                remedy: "check the endpoint; if its certificate is your own, set SSL_CERT_FILE where this server runs")
        default: return failed("the answer of \(host) broke off: \(error)")
        }
    }

    private static let connectFaults: Set<Int32> = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL]

    private static func reason(_ error: HTTPClientError, host: String) -> String {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout: "\(host) does not answer in time"
        case .readTimeout, .writeTimeout, .deadlineExceeded: "\(host) fell silent"
        case .remoteConnectionClosed: "\(host) closed the connection early"
        default: "\(error)"
        }
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return String(cString: strerror(error.errnoCode))
    }
}
