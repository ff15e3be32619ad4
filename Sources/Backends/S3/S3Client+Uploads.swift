import Core
import NIOCore

/// Uploads in parts.
extension S3Client {
    package func begin(_ key: String, _ terms: S3Terms) throws -> S3Upload {
        let action = "begin to write \(address(of: key))"
        var request = S3Request(method: "POST", key: key)
        request.ask("uploads")
        if let token = terms.token { request.set(Self.tokenHeader, token) }
        let root = try document(try send(request, to: action), "InitiateMultipartUploadResult", of: action)
        guard let id = root["UploadId"], !id.isEmpty else {
            throw SpileError(.unavailable, "cannot \(action): the upload got no name")
        }
        return S3Upload(key: key, id: id, terms: terms)
    }

    package func upload(_ upload: S3Upload, part number: Int, _ body: ByteBuffer) throws -> String {
        let action = "write part \(number) of \(address(of: upload.key))"
        var request = S3Request(method: "PUT", key: upload.key, body: body)
        request.ask("partNumber", "\(number)")
        request.ask("uploadId", upload.id)
        return try header("etag", of: try send(request, to: action), action)
    }

    package func complete(_ upload: S3Upload, _ parts: [String]) throws {
        let action = "write \(address(of: upload.key)) of \(parts.count) parts"
        var text = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, etag) in parts.enumerated() {
            text += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(S3XML.escaped(etag))</ETag></Part>"
        }
        text += "</CompleteMultipartUpload>"
        var request = S3Request(method: "POST", key: upload.key, body: ByteBuffer(string: text))
        request.ask("uploadId", upload.id)
        Self.add(upload.terms.condition, to: &request)
        let response = try send(request, to: action, condition: upload.terms.condition)
        // The store begins to answer before it knows the end: a failure may come behind a status of success.
        _ = try document(response, "CompleteMultipartUploadResult", of: action)
    }

    package func abort(_ upload: S3Upload) throws {
        var request = S3Request(method: "DELETE", key: upload.key)
        request.ask("uploadId", upload.id)
        do {
            _ = try send(request, to: "give up writing \(address(of: upload.key))")
        } catch let error as SpileError where error.code == .notFound {}
    }

    package func uploads(prefix: String) throws -> [S3PendingUpload] {
        let action = "list the uploads to \(address(of: prefix))"
        var request = S3Request(method: "GET", key: "")
        request.ask("uploads")
        request.ask("prefix", prefix)
        let root = try document(try send(request, to: action), "ListMultipartUploadsResult", of: action)
        return root.all("Upload").compactMap { entry in
            guard let key = entry["Key"], let id = entry["UploadId"] else { return nil }
            return S3PendingUpload(upload: S3Upload(key: key, id: id), begun: entry["Initiated"] ?? "")
        }
    }
}
