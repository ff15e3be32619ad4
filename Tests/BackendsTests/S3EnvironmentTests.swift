import Core
import Testing

@testable import Backends

@Suite struct S3EnvironmentTests {
    private let key = ["AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"]

    private func environment(_ more: [String: String] = [:]) throws -> S3Environment {
        try S3Environment(key.merging(more) { $1 })
    }

    @Test func `with a key alone it is Amazon's first region`() throws {
        let environment = try environment()
        #expect(environment.credentials == S3Credentials(accessKey: "id", secretKey: "secret"))
        #expect(try environment.bucket("data") == S3Bucket(name: "data", region: "us-east-1"))
    }

    @Test(arguments: [
        (["AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-west-2"], "eu-west-1"),
        (["AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"], "us-west-2"),
    ])
    func `an empty region does not count`(variables: [String: String], region: String) throws {
        #expect(try environment(variables).region == region)
    }

    @Test func `the endpoint is that of the nearest variable`() throws {
        let all = [
            "SPILE_S3_ENDPOINT": "http://a.test", "AWS_ENDPOINT_URL_S3": "http://b.test",
            "AWS_ENDPOINT_URL": "http://c.test",
        ]
        #expect(try environment(all).endpoint == "http://a.test")
        #expect(try environment(all.merging(["SPILE_S3_ENDPOINT": ""]) { $1 }).endpoint == "http://b.test")
        #expect(try environment(["AWS_ENDPOINT_URL": "http://c.test"]).endpoint == "http://c.test")
        let bucket = try environment(all).bucket("data", region: "eu-west-1")
        let expected = try S3Bucket(name: "data", region: "eu-west-1", endpoint: "http://a.test")
        #expect(bucket == expected)
    }

    @Test func `what is missing or wrong is told at once, without the secret`() throws {
        let missing = #expect(throws: SpileError.self) { try S3Environment([:]) }
        #expect(missing?.code == .failedPrecondition && missing?.remedy.contains("AWS_ACCESS_KEY_ID") == true)
        let wrong = #expect(throws: SpileError.self) { try environment(["SPILE_S3_ENDPOINT": "minio:9000"]) }
        #expect(wrong?.code == .invalidArgument && wrong?.message.contains("minio:9000") == true)
        #expect(throws: SpileError.self) { try environment(["AWS_REGION": "a b"]) }
        var dumped = ""
        dump(try environment(), to: &dumped)
        #expect(!dumped.contains("secret"))
    }

    // MARK: Locations

    @Test(arguments: [
        ("s3://data", S3Location(bucket: "data", key: "")),
        ("S3://data/", S3Location(bucket: "data", key: "")),
        ("s3://data/a", S3Location(bucket: "data", key: "a")),
        ("s3://data//a/b/", S3Location(bucket: "data", key: "a/b/")),
        ("s3://data/a%20b%3F%23%25", S3Location(bucket: "data", key: "a b?#%")),
        ("s3://data/%C3%A4+?region=eu-west-1", S3Location(bucket: "data", key: "ä+", region: "eu-west-1")),
        ("s3://data?", S3Location(bucket: "data", key: "")),
    ])
    func `a URL names a bucket and a key or prefix`(text: String, location: S3Location) throws {
        #expect(try S3Location(text) == location)
    }

    @Test(arguments: [
        ("data/key", "s3://bucket/prefix"), ("gs://data/key", "s3://bucket/prefix"), ("s3://", "s3://bucket/prefix"),
        ("s3:///key", "s3://bucket/prefix"), ("s3://data/a%2", "%25"), ("s3://data/%FF", "%25"),
        ("s3://data/a#b", "%23"), ("s3://data/a?b", "%3F"), ("s3://data/a?endpoint=http://b", "?region="),
        ("s3://data/a?region=", "?region="), ("s3://id:secret@data/a", "AWS_ACCESS_KEY_ID"),
    ])
    func `a URL that says something else is refused, and told how to write it`(text: String, remedy: String) {
        let error = #expect(throws: SpileError.self) { try S3Location(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.remedy.contains(remedy) == true)
        #expect(error?.message.contains("secret") == false)
    }

    @Test func `a key longer than S3 allows is refused`() throws {
        _ = try S3Location("s3://data/" + String(repeating: "a", count: 1024))
        #expect(throws: SpileError.self) { try S3Location("s3://data/" + String(repeating: "a", count: 1025)) }
    }
}
