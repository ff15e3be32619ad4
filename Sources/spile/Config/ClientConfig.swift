import Yams

/// The file a client keeps between runs: contexts (servers by name) and which one is active (`contract/cli.md` §4.1).
///
/// Keys this program does not know are dropped when it writes, as the original does. Values are kept as they were read;
/// an address is only parsed when it is used, so that one bad context never stops the command that mends it.
struct ClientConfig: Equatable, Sendable {
    struct Context: Equatable, Sendable {
        /// 0 NONE, 1 CONFIG_V1, 2 HUB, 3 IMPORTED.
        var source = 0
        var pachdAddress = ""
        var serverCAs = ""
        var sessionToken = ""
        var activeTransaction = ""
        var clusterName = ""
        var authInfo = ""
        var namespace = ""
        var portForwarders: [(name: String, port: Int)] = []
        var clusterDeploymentID = ""
        var enterpriseServer = false
        var project = ""

        static func == (a: Context, b: Context) -> Bool { a.json == b.json }
    }

    var userID = ""
    var activeContext = ""
    var activeEnterpriseContext = ""
    /// In the order of the file.
    var contexts: [(name: String, context: Context)] = []
    var metrics = true
    var maxShellCompletions = 0

    static func == (a: ClientConfig, b: ClientConfig) -> Bool { a.json == b.json }

    subscript(context name: String) -> Context? {
        get { contexts.first { $0.name == name }?.context }
        set {
            let index = contexts.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let context?): contexts[index].context = context
            case (let index?, nil): contexts.remove(at: index)
            case (nil, let context?): contexts.append((name, context))
            case (nil, nil): break
            }
        }
    }

    /// What a first run starts from: one context, `default`, to the given address if there is one.
    static func fresh(userID: String, address: String?) -> ClientConfig {
        var config = ClientConfig()
        config.userID = userID
        config.activeContext = "default"
        config[context: "default"] = Context(source: address == nil ? 0 : 3, pachdAddress: address ?? "")
        return config
    }
}

// MARK: - Reading

extension ClientConfig {
    static let sources = ["NONE", "CONFIG_V1", "HUB", "IMPORTED"]

    /// Reads the text of a config file, JSON or YAML, keys in snake_case or camelCase.
    init(parsing text: String) throws {
        let document: JSON
        do {
            document = try JSON(parsing: text)
        } catch {
            guard let node = try? Yams.compose(yaml: text), let json = try? SpecReader.plainJSON(node) else {
                throw error
            }
            document = json
        }
        guard document.members != nil else { throw Failure("it does not hold an object") }
        userID = document.either("user_id", "userId")?.text ?? ""
        let v2 = document["v2"]
        activeContext = v2?.either("active_context", "activeContext")?.text ?? ""
        activeEnterpriseContext = v2?.either("active_enterprise_context", "activeEnterpriseContext")?.text ?? ""
        metrics = v2?["metrics"]?.flag ?? false
        maxShellCompletions = v2?.either("max_shell_completions", "maxShellCompletions")?.integer ?? 0
        contexts = (v2?["contexts"]?.members ?? []).map { ($0.key, Context(json: $0.value)) }
        if v2 == nil {
            activeContext = "default"
            metrics = true
            let old = document["v1"].map { Context(json: $0) } ?? Context()
            self[context: "default"] = Context(
                source: 1, pachdAddress: old.pachdAddress, serverCAs: old.serverCAs, sessionToken: old.sessionToken,
                activeTransaction: old.activeTransaction)
        }
    }
}

extension ClientConfig.Context {
    init(json: JSON) {
        source =
            json["source"].map { $0.integer ?? ClientConfig.sources.firstIndex(of: $0.text ?? "") ?? 0 } ?? 0
        pachdAddress = json.either("pachd_address", "pachdAddress")?.text ?? ""
        serverCAs = json.either("server_cas", "serverCas")?.text ?? ""
        sessionToken = json.either("session_token", "sessionToken")?.text ?? ""
        activeTransaction = json.either("active_transaction", "activeTransaction")?.text ?? ""
        clusterName = json.either("cluster_name", "clusterName")?.text ?? ""
        authInfo = json.either("auth_info", "authInfo")?.text ?? ""
        namespace = json["namespace"]?.text ?? ""
        portForwarders = (json.either("port_forwarders", "portForwarders")?.members ?? [])
            .map { ($0.key, $0.value.integer ?? 0) }
        clusterDeploymentID = json.either("cluster_deployment_id", "clusterDeploymentId")?.text ?? ""
        enterpriseServer = json.either("enterprise_server", "enterpriseServer")?.flag ?? false
        project = json["project"]?.text ?? ""
    }

    private static let keys: Set<String> = [
        "source", "pachd_address", "pachdAddress", "server_cas", "serverCas", "session_token", "sessionToken",
        "active_transaction", "activeTransaction", "cluster_name", "clusterName", "auth_info", "authInfo", "namespace",
        "port_forwarders", "portForwarders", "cluster_deployment_id", "clusterDeploymentId", "enterprise_server",
        "enterpriseServer", "project",
    ]

    /// Reads a context given by a user: an unknown key is an error, and the address is brought to its canonical form.
    init(strict text: String) throws {
        let json: JSON
        do {
            json = try JSON(parsing: text)
        } catch {
            throw Failure("the context on stdin is not JSON: \(error)")
        }
        guard let members = json.members else {
            throw Failure(#"the context on stdin is not an object: write {"pachd_address": "grpc://host:30650"}"#)
        }
        if let unknown = members.first(where: { !Self.keys.contains($0.key) }) {
            throw Failure("unknown field \"\(unknown.key)\" in the context on stdin")
        }
        self.init(json: json)
        if !pachdAddress.isEmpty { pachdAddress = try Address(pachdAddress).description }
    }
}

// MARK: - Writing

extension ClientConfig {
    /// The document as it is stored: snake_case, empty values left out, enums as numbers.
    var json: JSON {
        var v2 = JSON.object([])
        v2.put("active_context", activeContext)
        v2.put("active_enterprise_context", activeEnterpriseContext)
        if !contexts.isEmpty {
            v2["contexts"] = .object(contexts.map { JSON.Member(key: $0.name, value: $0.context.json) })
        }
        if metrics { v2["metrics"] = .bool(true) }
        if maxShellCompletions != 0 { v2["max_shell_completions"] = .number(String(maxShellCompletions)) }
        var document = JSON.object([])
        document.put("user_id", userID)
        document["v2"] = v2
        return document
    }

    /// The file's text.
    var text: String { json.pretty + "\n" }
}

extension ClientConfig.Context {
    var json: JSON { json(enumNames: false) }

    /// The context as JSON; `enumNames` spells the source as a word, which is how it is shown.
    func json(enumNames: Bool) -> JSON {
        var context = JSON.object([])
        if source != 0 {
            let known = ClientConfig.sources.indices.contains(source)
            context["source"] = enumNames && known ? .string(ClientConfig.sources[source]) : .number(String(source))
        }
        context.put("pachd_address", pachdAddress)
        context.put("server_cas", serverCAs)
        context.put("session_token", sessionToken)
        context.put("active_transaction", activeTransaction)
        context.put("cluster_name", clusterName)
        context.put("auth_info", authInfo)
        context.put("namespace", namespace)
        if !portForwarders.isEmpty {
            context["port_forwarders"] = .object(
                portForwarders.map { JSON.Member(key: $0.name, value: .number(String($0.port))) })
        }
        context.put("cluster_deployment_id", clusterDeploymentID)
        if enterpriseServer { context["enterprise_server"] = .bool(true) }
        context.put("project", project)
        return context
    }
}

extension JSON {
    /// An integer given as a number.
    var integer: Int? { if case .number(let number) = self { Int(number) } else { nil } }

    /// The value under either spelling of a key.
    func either(_ snake: String, _ camel: String) -> JSON? { self[snake] ?? self[camel] }

    /// Sets a text, unless it is empty.
    mutating func put(_ key: String, _ value: String) {
        if !value.isEmpty { self[key] = .string(value) }
    }
}
