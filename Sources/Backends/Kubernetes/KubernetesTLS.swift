import Core
import NIOSSL

/// How the way to the API server is closed to others.
enum KubernetesTLS {
    static func configuration(_ config: KubernetesConfig) throws(SpileError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if config.isInsecure {
            tls.certificateVerification = .none
        } else if let authorities = config.authorities {
            tls.trustRoots = .certificates(
                try reading("certificate-authority") { try NIOSSLCertificate.fromPEMBytes(authorities) })
        }
        if case .certificate(let chain, let key) = config.credential {
            tls.certificateChain = try reading("client-certificate") {
                try NIOSSLCertificate.fromPEMBytes(chain).map { .certificate($0) }
            }
            tls.privateKey = .privateKey(
                try reading("client-key") { try NIOSSLPrivateKey(bytes: key, format: .pem) })
        }
        return tls
    }

    private static func reading<Value>(_ name: String, _ body: () throws -> Value) throws(SpileError) -> Value {
        do { return try body() } catch {
            throw SpileError(
                .failedPrecondition, "cannot talk to Kubernetes: its \(name) cannot be read (\(error))",
                remedy: "give PEM text, unencrypted")
        }
    }
}
