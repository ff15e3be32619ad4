/// What `s3://bucket/key` names: an object, or all whose keys begin with a prefix.
package struct S3Location: Sendable, Equatable {
    package let bucket: String
    /// A key or a prefix of keys, without a `/` in front; empty for the whole bucket. A `/` at its end stays: with it
    /// the prefix is a folder, without it also the beginning of a name.
    package let key: String
    /// Of the bucket, where the URL says so (`?region=eu-west-1`).
    package let region: String?

    package init(bucket: String, key: String, region: String? = nil) {
        self.bucket = bucket
        self.key = key
        self.region = region
    }

    /// What the keys of all that is below it as in a folder begin with: empty, or with a slash at its end.
    package var prefix: String { key.isEmpty || FilePath.endsInSeparator(key) ? key : key + "/" }

    /// Reads a URL whose bytes outside of plain text are written as `%XX`, `?` and `#` of a key among them.
    ///
    /// Throws `invalidArgument` for one of another scheme, without a bucket, or with more than that.
    package init(_ text: String) throws(SpileError) {
        let shown = FilePath.quoted(String(text.prefix(300)))
        guard text.prefix(5).lowercased() == "s3://" else {
            throw .invalid("\(shown) names nothing in an S3 store", remedy: "write s3://bucket/prefix")
        }
        let rest = text.dropFirst(5)
        guard !rest.contains("#") else {
            throw .invalid("\(shown) holds a #", remedy: "if it belongs to the key, write it as %23")
        }
        let place = rest.prefix { $0 != "?" }
        let name = place.prefix { $0 != "/" }
        guard !name.isEmpty else {
            throw .invalid("\(shown) names no bucket", remedy: "write s3://bucket/prefix")
        }
        guard !name.contains("@") else {
            throw .invalid(
                "the URL of a bucket cannot hold a user or a key",
                remedy: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where this server runs")
        }
        let coded = place.dropFirst(name.count).drop { $0 == "/" }
        guard let key = PercentCoding.decoded(coded).flatMap({ String(validating: $0, as: UTF8.self) }) else {
            throw .invalid("\(shown) is not written as URLs are", remedy: "write a % of the key as %25")
        }
        guard key.utf8.count <= Self.mostKey else {
            throw .invalid("the key in \(shown) is longer than the \(Self.mostKey) bytes that S3 allows")
        }
        bucket = String(name)
        self.key = key
        region = try Self.region(rest.dropFirst(place.count), of: shown)
    }

    /// Bytes of a key.
    package static let mostKey = 1024

    private static func region(_ query: Substring, of shown: String) throws(SpileError) -> String? {
        guard query.count > 1 else { return nil }
        let parts = query.dropFirst().split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "region", !parts[1].isEmpty else {
            throw .invalid(
                "\(shown) asks for more than a region: ?\(query.dropFirst())",
                remedy: "write ?region=NAME or nothing; a ? of the key is written as %3F")
        }
        return String(parts[1])
    }
}

extension SourceURL {
    /// A URL that files are to be written to. Throws what ``location()`` throws.
    package init(placeInStore text: String) throws(SpileError) {
        try self.init(text)
        _ = try location()
    }

    /// Where in an S3 store files are read from or written to.
    ///
    /// Throws `invalidArgument` for what is no place in an object store, or not written as ``S3Location`` wants it, and
    /// `unimplemented` for stores of other kinds.
    package func location() throws(SpileError) -> S3Location {
        switch scheme {
        case .objectStore("s3"): return try S3Location(text)
        case .objectStore(let name):
            throw SpileError(
                .unimplemented, "object storage by \(name):// is not offered by this version of Spile",
                remedy: "a store that speaks S3 is written s3://bucket/key; SPILE_S3_ENDPOINT tells where it is")
        case .http, .https, .file:
            throw .invalid(
                "files cannot be written to \(self)",
                remedy: "the URL of an object store is wanted, such as s3://bucket/prefix")
        }
    }
}
