import Core
import NIOCore
import Testing

@testable import Backends

/// The signer against the worked examples of Amazon's reference ("Signature Calculations for the Authorization Header:
/// Transferring Payload in a Single Chunk"), whose keys are public.
@Suite struct S3SignatureTests {
    private let signer = S3Signer(
        credentials: S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1")
    /// 2013-05-24T00:00:00Z.
    private let time = Instant(seconds: 1_369_353_600)

    private func signature(_ request: S3Request) throws -> String {
        let bucket = try S3Bucket(
            name: "examplebucket", region: "us-east-1", endpoint: "https://s3.amazonaws.com", addressing: .virtualHost)
        let headers = signer.headers(
            for: request, host: bucket.host, path: bucket.path(request.key), query: S3Coding.query(request.query),
            at: time)
        let value = try #require(headers.first { $0.name == "authorization" }).value
        #expect(value.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"))
        return String(value.split(separator: "=")[3])
    }

    @Test func `a GET of a range is signed as in the reference`() throws {
        var request = S3Request(method: "GET", key: "test.txt")
        request.set("range", "bytes=0-9")
        #expect(try signature(request) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func `a PUT with a body and a key that is encoded is signed as in the reference`() throws {
        var request = S3Request(method: "PUT", key: "test$file.text", body: ByteBuffer(string: "Welcome to Amazon S3."))
        request.set("date", "Fri, 24 May 2013 00:00:00 GMT")
        request.set("x-amz-storage-class", "REDUCED_REDUNDANCY")
        #expect(try signature(request) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func `a query without a value is signed as in the reference`() throws {
        var request = S3Request(method: "GET", key: "")
        request.ask("lifecycle")
        #expect(try signature(request) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func `a query is signed in the order of its names, as in the reference`() throws {
        var request = S3Request(method: "GET", key: "")
        request.ask("prefix", "J")
        request.ask("max-keys", "2")
        #expect(try signature(request) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test(arguments: [
        (0, "19700101T000000Z"), (951_827_696, "20000229T123456Z"), (4_107_542_399, "21000228T235959Z"),
        (4_107_542_400, "21000301T000000Z"), (1_709_251_199, "20240229T235959Z"), (-1, "19691231T235959Z"),
    ])
    func `times are written as S3 wants them`(seconds: Int64, text: String) {
        #expect(S3Signer.text(of: Instant(seconds: seconds)) == text)
    }

    @Test func `a secret is in no text about its key`() {
        let credentials = S3Credentials(accessKey: "ID", secretKey: "hidden", sessionToken: "hidden")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(text.contains("ID") && !text.contains("hidden"))
        }
    }

    @Test func `credentials come from the environment, or it is told what to set`() throws {
        let whole = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": ""]
        #expect(try S3Credentials(environment: whole) == S3Credentials(accessKey: "a", secretKey: "b"))
        let lent = try S3Credentials(environment: whole.merging(["AWS_SESSION_TOKEN": "c"]) { $1 })
        #expect(lent == S3Credentials(accessKey: "a", secretKey: "b", sessionToken: "c"))
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let error = #expect(throws: SpileError.self) {
                try S3Credentials(environment: whole.filter { $0.key != name })
            }
            #expect(error?.code == .failedPrecondition)
            #expect(error?.remedy.contains(name) == true)
        }
    }
}

@Suite struct S3BucketTests {
    @Test func `addresses are made by path for other stores and by host for Amazon`() throws {
        let other = try S3Bucket(name: "data", region: "r", endpoint: "http://127.0.0.1:9000/")
        #expect(other.url(other.path("a b/ü"), query: "x=1") == "http://127.0.0.1:9000/data/a%20b/%C3%BC?x=1")
        #expect(other.url(other.path(""), query: "") == "http://127.0.0.1:9000/data")
        let amazon = try S3Bucket(name: "data", region: "eu-west-1")
        #expect(amazon.url(amazon.path("k"), query: "") == "https://data.s3.eu-west-1.amazonaws.com/k")
        let dotted = try S3Bucket(name: "data.example.com", region: "eu-west-1")
        #expect(dotted.url(dotted.path("k"), query: "") == "https://s3.eu-west-1.amazonaws.com/data.example.com/k")
        let chosen = try S3Bucket(name: "data", region: "r", endpoint: "https://h:443", addressing: .virtualHost)
        #expect(chosen.url(chosen.path("k"), query: "") == "https://data.h/k")
    }

    @Test(arguments: ["", "ftp://h", "h:9000", "http://h/path", "http://u:p@h", "http://h?a=b", "http://"])
    func `an endpoint of another form is refused`(endpoint: String) {
        let error = #expect(throws: SpileError.self) { try S3Bucket(name: "data", region: "r", endpoint: endpoint) }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: ["", "ab", "a/b", "a b c", ".abc", String(repeating: "a", count: 64)])
    func `a name that no bucket has is refused`(name: String) {
        let error = #expect(throws: SpileError.self) { try S3Bucket(name: name, region: "r") }
        #expect(error?.code == .invalidArgument)
    }
}
