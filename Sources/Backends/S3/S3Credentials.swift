import Core

/// Who signs the requests to an S3 store. Never printed: its text shows the key's id alone.
package struct S3Credentials: Sendable, Equatable {
    /// Names the key to the store; no secret.
    package let accessKey: String
    let secretKey: String
    /// Goes with keys that were lent for some time; nil for lasting ones.
    let sessionToken: String?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }

    /// Takes them from the variables that the tools of S3 share: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if
    /// it is there, `AWS_SESSION_TOKEN`. Throws `failedPrecondition` where one of the first two is missing or empty.
    package init(environment: [String: String]) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let accessKey = value("AWS_ACCESS_KEY_ID"), let secretKey = value("AWS_SECRET_ACCESS_KEY") else {
            throw SpileError(
                .failedPrecondition, "there are no credentials for the S3 store",
                remedy: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where this server runs")
        }
        self.init(accessKey: accessKey, secretKey: secretKey, sessionToken: value("AWS_SESSION_TOKEN"))
    }
}

extension S3Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "S3 key \(accessKey)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }
}
