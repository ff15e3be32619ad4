import Core

/// What the environment of this server says about S3: whose key it has, and where the buckets are. The one place that
/// reads these variables.
///
/// | variable | what it says |
/// |---|---|
/// | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | the key |
/// | `AWS_SESSION_TOKEN` | goes with a key that was lent for some time |
/// | `AWS_REGION`, else `AWS_DEFAULT_REGION` | the buckets' region; without both `us-east-1` |
/// | `SPILE_S3_ENDPOINT`, else `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL` | a store other than Amazon's |
/// | `SSL_CERT_FILE` | a PEM file of the authorities that certificates have to come from; else what the system trusts |
///
/// A variable that is empty counts as one that is not there.
package struct S3Environment: Sendable, Equatable {
    package let credentials: S3Credentials
    package let region: String
    /// A scheme, a host and maybe a port; nil for Amazon's own.
    package let endpoint: String?

    /// Throws `failedPrecondition` where there is no key, `invalidArgument` for what is no region or no endpoint.
    package init(_ variables: [String: String]) throws {
        func first(_ names: String...) -> String? {
            names.lazy.compactMap { variables[$0] }.first { !$0.isEmpty }
        }
        credentials = try S3Credentials(environment: variables)
        region = first("AWS_REGION", "AWS_DEFAULT_REGION") ?? "us-east-1"
        endpoint = first("SPILE_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        // So that what cannot hold for any bucket is said at once.
        _ = try bucket("any")
    }

    /// Of S3 stores and of web servers; nil for those that the system trusts.
    package static func trustFile(_ variables: [String: String]) -> String? {
        variables["SSL_CERT_FILE"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A bucket of that name. `region` is where it lies, if that is not the environment's. Throws `invalidArgument` for
    /// names that no bucket and no region can have.
    package func bucket(_ name: String, region: String? = nil) throws -> S3Bucket {
        try S3Bucket(name: name, region: region ?? self.region, endpoint: endpoint)
    }
}
