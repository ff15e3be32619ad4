import Testing

@testable import spile

@Suite struct ConfigTests {
    private let text = """
        {
          "user_id": "0123456789abcdef0123456789abcdef",
          "v2": {
            "active_context": "here",
            "contexts": {
              "here": {
                "source": 3,
                "pachd_address": "grpc://localhost:30650",
                "session_token": "t",
                "port_forwarders": {
                  "pachd": 30650
                },
                "project": "weather"
              },
              "broken": {
                "pachd_address": "nonsense://x"
              }
            },
            "metrics": true,
            "max_shell_completions": 64
          }
        }

        """

    @Test func `a file is written as it was read`() throws {
        #expect(try ClientConfig(parsing: text).text == text)
    }

    @Test func `camelCase, enum words and yaml are read`() throws {
        let config = try ClientConfig(
            parsing: """
                userId: abc
                v2:
                  activeContext: a
                  contexts:
                    a: {source: IMPORTED, pachdAddress: "grpc://h:1"}
                """)
        #expect(config.userID == "abc")
        #expect(config[context: "a"]?.source == 3)
        #expect(config[context: "a"]?.pachdAddress == "grpc://h:1")
    }

    @Test func `an old file becomes the context default`() throws {
        let config = try ClientConfig(
            parsing: #"{"user_id": "u", "v1": {"pachd_address": "h:1", "session_token": "t"}}"#)
        #expect(config.activeContext == "default")
        #expect(config[context: "default"]?.sessionToken == "t")
    }

    @Test func `a bad address does not stop reading, and can be mended`() throws {
        var config = try ClientConfig(parsing: text)
        #expect(config[context: "broken"]?.pachdAddress == "nonsense://x")
        config[context: "broken"]?.pachdAddress = "grpc://ok:1"
        #expect(try ClientConfig(parsing: config.text)[context: "broken"]?.pachdAddress == "grpc://ok:1")
    }

    @Test func `a context that is not there is named, with the way out`() throws {
        var config = try ClientConfig(parsing: text)
        config.activeContext = "gone"
        let failure = #expect(throws: Failure.self) { try config.active(Environment()) }
        #expect(failure?.message.contains("config set active-context") == true)
        #expect(try config.active(Environment(["PACH_CONTEXT": "here"])).name == "here")
    }

    @Test func `a context on stdin is read strictly and its address completed`() throws {
        #expect(
            try ClientConfig.Context(strict: #"{"pachd_address": "grpc://pachd"}"#).pachdAddress == "grpc://pachd:30650"
        )
        #expect(throws: Failure.self) { try ClientConfig.Context(strict: #"{"pachd_adress": "x"}"#) }
        #expect(throws: Failure.self) { try ClientConfig.Context(strict: "[]") }
    }

    @Test func `the store follows PACH_CONFIG, then the mount, then the home folder`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let environment = Environment(["HOME": "/h"])
        #expect(ConfigStore(environment: environment, workerPath: "/none").path == "/h/.pachyderm/config.json")
        try folder.write("mounted", "{}")
        #expect(
            ConfigStore(environment: environment, workerPath: folder.path + "/mounted").path == folder.path + "/mounted"
        )
        #expect(ConfigStore(environment: Environment(["PACH_CONFIG": "/x"])).path == "/x")
        #expect(ConfigStore(environment: Environment(), workerPath: "/none").path == nil)
    }

    @Test func `a first run starts from PACHD_ADDRESS and is kept by the first save`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = ConfigStore(
            environment: Environment(["HOME": folder.path, "PACHD_ADDRESS": "h:1"]), workerPath: "/none")
        try store.update { $0.metrics = false }
        let saved = try ClientConfig(parsing: folder.read(".pachyderm/config.json"))
        #expect(saved[context: "default"]?.pachdAddress == "grpc://h:1")
        #expect(saved.metrics == false)
        #expect(saved.userID.count == 32)
    }

    @Test func `a file that cannot be read is named`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("c", "{\"a\": [}")
        let store = ConfigStore(environment: Environment(["PACH_CONFIG": folder.path + "/c"]))
        let failure = #expect(throws: Failure.self) { try store.load() }
        #expect(failure?.message.contains(folder.path) == true)
    }
}

@Suite struct AddressTests {
    @Test(arguments: [
        ("host", "grpc://host:30650"), ("host:1", "grpc://host:1"), ("http://host", "grpc://host:30650"),
        ("https://host", "grpcs://host:30650"), ("grpcs://host:443", "grpcs://host:443"),
        ("[::1]:7", "grpc://[::1]:7"), ("grpc://[::1]", "grpc://[::1]:30650"), ("unix:///run/s", "unix:///run/s"),
        ("127.0.0.1:30650", "grpc://127.0.0.1:30650"),
    ])
    func `an address is brought to its canonical form`(text: String, wanted: String) throws {
        #expect(try Address(text).description == wanted)
    }

    @Test(arguments: [
        "ftp://h", "host/", "grpc://h:1/x", "u@h", "h?x", "h#x", "h:0", "h:70000", "h:x", "", ":1", "::1", "[::1",
        "unix://x",
    ])
    func `what is no address is refused`(text: String) {
        #expect(throws: Failure.self) { try Address(text) }
    }
}

@Suite struct EndpointTests {
    private func choose(_ context: ClientConfig.Context?, _ environment: [String: String]) throws -> Endpoint {
        try Endpoint.choose(context: context, name: "c", environment: Environment(environment))
    }

    @Test func `a worker dials its own port with the context's token`() throws {
        let context = ClientConfig.Context(pachdAddress: "grpc://elsewhere:1", sessionToken: "t")
        let endpoint = try choose(
            context, ["PACH_IN_WORKER": "true", "PEER_PORT": "1653", "PACHD_ADDRESS": "other:2"])
        #expect(endpoint.address.description == "grpc://127.0.0.1:1653")
        #expect(endpoint.token == "t")
        #expect(endpoint.isWorker)
    }

    @Test func `a worker needs its port, and a readable flag`() {
        #expect(throws: Failure.self) { try choose(nil, ["PACH_IN_WORKER": "true"]) }
        #expect(throws: Failure.self) { try choose(nil, ["PACH_IN_WORKER": "yes", "PEER_PORT": "1"]) }
    }

    @Test func `the variable is above the context, the context above the forwarded port`() throws {
        var context = ClientConfig.Context(pachdAddress: "grpc://ctx:1", portForwarders: [("pachd", 9)])
        #expect(try choose(context, ["PACHD_ADDRESS": "env:2"]).address.description == "grpc://env:2")
        #expect(try choose(context, [:]).address.description == "grpc://ctx:1")
        context.pachdAddress = ""
        #expect(try choose(context, [:]).address.description == "grpc://127.0.0.1:9")
        context.portForwarders = []
        #expect(try choose(context, [:]).address.description == "grpc://127.0.0.1:30650")
    }

    @Test func `roots need a TLS address`() {
        let context = ClientConfig.Context(pachdAddress: "grpc://h:1", serverCAs: "UEVN")
        #expect(throws: Failure.self) { try choose(context, [:]) }
        #expect(throws: Failure.self) { try choose(nil, ["PACHD_ADDRESS": "h:1", "PACH_CA_CERTS": "/x"]) }
        #expect(decodeBase64("UEVN") == "PEM")
        #expect(decodeBase64("YQ==") == "a")
    }

    @Test func `the default project is the context's, in a worker its own`() {
        let named = ClientConfig.Context(project: "a")
        let worker = Environment(["PPS_PROJECT_NAME": "w"])
        #expect(Session.defaultProject(context: named, environment: worker) == "a")
        #expect(Session.defaultProject(context: ClientConfig.Context(), environment: worker) == "w")
        #expect(Session.defaultProject(context: nil, environment: Environment()) == "default")
    }
}
