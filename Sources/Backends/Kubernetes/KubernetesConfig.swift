import Core

/// Where the API server is, and what opens it.
package struct KubernetesConfig: Sendable {
    package enum Credential: Sendable {
        case anonymous
        case token(String)
        /// A file that others write anew from time to time.
        case tokenFile(String)
        /// PEM texts.
        case certificate(chain: [UInt8], key: [UInt8])
    }

    /// `https://host[:port][/path]`, without a slash at the end.
    package var server: String
    /// Where this server's objects are.
    package var namespace: String
    package var credential: Credential
    /// PEM text of those that the server's certificate has to come from; nil: those that the system trusts.
    package var authorities: [UInt8]?
    /// Whether any certificate will do.
    package var isInsecure = false
    /// The name that the server's certificate has to bear; nil: the host of ``server``.
    package var serverName: String?

    package init(
        server: String, namespace: String = "default", credential: Credential = .anonymous,
        authorities: [UInt8]? = nil
    ) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        self.namespace = namespace
        self.credential = credential
        self.authorities = authorities
    }

    /// Where the files of a pod's service account are.
    package static let accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// What a pod finds of its own cluster: the address in `environment`, the files of its service account in `folder`.
    ///
    /// Throws `failedPrecondition` where this process runs in no pod, or in one without a service account's token.
    package static func inCluster(
        environment: [String: String], folder: String = accountFolder
    ) throws(SpileError) -> KubernetesConfig {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], Int(port) != nil
        else {
            throw SpileError(
                .failedPrecondition, "this process runs in no pod: KUBERNETES_SERVICE_HOST and _PORT are not set",
                remedy: "run it in the cluster, or give it a kubeconfig")
        }
        for name in ["token", "ca.crt"] where PosixFiles.size("\(folder)/\(name)") == nil {
            throw SpileError(
                .failedPrecondition, "the pod has no file \(folder)/\(name)",
                remedy: "let the pod have a service account, and automountServiceAccountToken: true")
        }
        var config = KubernetesConfig(
            server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)",
            credential: .tokenFile("\(folder)/token"), authorities: PosixFiles.read("\(folder)/ca.crt"))
        if let namespace = PosixFiles.read("\(folder)/namespace") {
            config.namespace = String(decoding: namespace, as: UTF8.self).filter { !$0.isWhitespace }
        }
        if config.namespace.isEmpty { config.namespace = "default" }
        return config
    }
}
