import Core

/// What URLs name, fetched by this server: from the web, from S3 stores that it has a key of, and from the folders of
/// its own disk that it was told to give.
package struct URLFetcher: URLSource {
    private let web: WebURLs
    private let files: FileURLs
    private let objects: S3URLs?

    /// `folders` are those whose files may be fetched by `file://`; none forbids it altogether. `trustFile` is a PEM
    /// file of the authorities that web servers' certificates have to come from; nil: those the system trusts.
    /// `buckets` are reached by `s3://`; without them no URL of an object store is fetched.
    ///
    /// Throws `failedPrecondition` for a folder that is not there.
    package init(folders: [String], trustFile: String?, buckets: S3Buckets? = nil) throws {
        web = WebURLs(trustFile: trustFile)
        files = try FileURLs(folders: folders)
        objects = buckets.map(S3URLs.init)
    }

    package func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        switch url.scheme {
        case .http, .https: try await web.fetch(url) { try receive("", $0) }
        case .file: try files.fetch(url, recursive: recursive, receive)
        case .objectStore:
            guard let objects else { throw SpileError(.unimplemented, "\(url): this server reads no object store") }
            try await objects.fetch(url, recursive: recursive, receive)
        }
    }

    /// Lets go of the connections that are kept open. To be called once, when nothing is fetched any more.
    package func close() async { await web.close() }
}
