import Core

/// What URLs name, fetched by this server: from the web, and from the folders of its own disk that it was told to give.
package struct URLFetcher: URLSource {
    private let web: WebURLs
    private let files: FileURLs

    /// `folders` are those whose files may be fetched by `file://`; none forbids it altogether. `trustFile` is a PEM
    /// file of the authorities that web servers' certificates have to come from; nil: those the system trusts.
    ///
    /// Throws `failedPrecondition` for a folder that is not there.
    package init(folders: [String], trustFile: String?) throws {
        web = WebURLs(trustFile: trustFile)
        files = try FileURLs(folders: folders)
    }

    package func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        switch url.scheme {
        case .http, .https: try await web.fetch(url) { try receive("", $0) }
        case .file: try files.fetch(url, recursive: recursive, receive)
        case .objectStore(let scheme):
            throw SpileError(
                .unimplemented, "reading from object storage (\(scheme)) is not offered by this version of Spile",
                remedy: "fetch the objects and send their bytes, or give an https URL")
        }
    }

    /// Lets go of the connections that are kept open. To be called once, when nothing is fetched any more.
    package func close() async { await web.close() }
}
