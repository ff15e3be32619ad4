import Core
import NIOSSL

/// The certificate and the key of a server, as PEM files.
package enum TLSFiles {
    /// Reads both and sees whether they belong together; the certificate's file may hold those that vouch for it behind
    /// it. Throws `failedPrecondition`.
    package static func check(certificate: String, key: String) throws {
        let chain = try reading(certificate, "certificate") { try NIOSSLCertificate.fromPEMFile(certificate) }
        let secret = try reading(key, "private key") { try NIOSSLPrivateKey(file: key, format: .pem) }
        guard !chain.isEmpty else { throw fault(certificate, "it holds no certificate") }
        do {
            _ = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret)))
        } catch {
            throw fault(key, "it is not the key of the certificate in \(certificate)")
        }
    }

    private static func reading<Value>(_ path: String, _ what: String, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch { throw fault(path, "no \(what) can be read from it (\(error))") }
    }

    private static func fault(_ path: String, _ why: String) -> SpileError {
        SpileError(
            .failedPrecondition, "cannot use \(path) for TLS: \(why)", remedy: "give PEM files that belong together")
    }
}
