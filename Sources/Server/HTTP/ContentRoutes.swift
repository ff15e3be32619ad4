import Core
import Hummingbird
import NIOCore
import Storage
import Versioning

/// `GET /filesets/<id>?…`: the bytes that a signed URL names. 403 for a URL that is not good, 404 where the file is
/// gone. Whoever holds the URL may read it until it expires: there is no other check.
struct ContentRoutes: HTTPRoutes {
    let history: History
    let urls: ContentURLs
    let executor: IOExecutor

    func register(in router: Router<BasicRequestContext>) {
        router.get("\(ContentURLs.path)/:id") { request, context -> Response in
            do {
                let id = context.parameters.get("id") ?? ""
                let run = try urls.run(fileSet: id, at: history.clock.now()) { name in
                    request.uri.queryParameters[Substring(name)].map(String.init)
                }
                // Lasts as long as the answer does: the file set may expire meanwhile.
                let reading = history.store.beginReading()
                let found: FileEntry = try await withTaskExecutorPreference(executor) { try entry(of: run) }
                return response(run, found, reading)
            } catch let error as SpileError {
                return Response.text("\(error)\n", status: Self.status(error.code))
            }
        }
    }

    private func entry(of run: ContentRun) throws -> FileEntry {
        guard let set = try history.readableFileSet(run.fileSet),
            let entry = try history.store.entry(set.content, path: run.path, datum: run.datum),
            run.range.upperBound <= entry.size
        else { throw SpileError.notFound("the file that this URL names is gone") }
        return entry
    }

    private func response(_ run: ContentRun, _ entry: FileEntry, _ reading: Activity) -> Response {
        let body = ResponseBody(contentLength: run.range.count) { writer in
            var position = run.range.lowerBound
            while position < run.range.upperBound {
                let wanted = Int(min(UInt64(Limits.payloadBytes), run.range.upperBound - position))
                let offset = position
                let bytes = try await withTaskExecutorPreference(executor) {
                    try history.store.read(entry, offset: offset, maxBytes: wanted)
                }
                guard !bytes.isEmpty else { throw SpileError.bug("a file ends before the size it has") }
                position += UInt64(bytes.count)
                try await writer.write(ByteBuffer(bytes: bytes))
            }
            withExtendedLifetime(reading) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/octet-stream"], body: body)
    }

    private static func status(_ code: SpileError.Code) -> HTTPResponse.Status {
        switch code {
        case .permissionDenied: .forbidden
        case .notFound: .notFound
        case .unavailable, .resourceExhausted: .serviceUnavailable
        default: .internalServerError
        }
    }
}
