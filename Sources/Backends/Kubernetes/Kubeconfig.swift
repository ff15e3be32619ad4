import Core
import Foundation

/// A kubeconfig, read: the cluster and the user of its current context.
struct Kubeconfig {
    let root: JSONValue
    /// Where its relative paths begin.
    let folder: String

    func config() throws(SpileError) -> KubernetesConfig {
        let context = try entry("contexts", "context", named: try current())
        let cluster = try entry("clusters", "cluster", named: try text(context, "cluster", of: "the context"))
        let server = try text(cluster, "server", of: "the cluster")
        guard server.hasPrefix("https://") || server.hasPrefix("http://") else {
            throw Self.fault("the cluster's server \"\(server)\" is not the URL of a web server", "write https://…")
        }
        if cluster["proxy-url"] != nil {
            throw Self.fault("the cluster is behind a proxy-url, which Spile does not use", "reach it directly")
        }
        var config = KubernetesConfig(server: server)
        config.namespace = context["namespace"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
        config.authorities = try bytes(cluster, "certificate-authority")
        config.isInsecure = cluster["insecure-skip-tls-verify"]?.bool ?? false
        config.serverName = cluster["tls-server-name"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        if let user = context["user"]?.string, !user.isEmpty {
            config.credential = try credential(try entry("users", "user", named: user), of: user)
        }
        return config
    }

    private func current() throws(SpileError) -> String {
        guard let name = root["current-context"]?.string, !name.isEmpty else {
            throw Self.fault("it has no current-context", "choose one: kubectl config use-context <name>")
        }
        return name
    }

    private func entry(_ list: String, _ member: String, named name: String) throws(SpileError) -> JSONValue {
        let found = root[list]?.elements.first { $0["name"]?.string == name }
        guard let value = found?[member] else {
            throw Self.fault("there is no \(member) \"\(name)\" in it", "kubectl config view shows what there is")
        }
        return value
    }

    private func text(_ object: JSONValue, _ name: String, of what: String) throws(SpileError) -> String {
        guard let text = object[name]?.string, !text.isEmpty else {
            throw Self.fault("\(what) has no \(name)", "write it there")
        }
        return text
    }

    private func credential(_ user: JSONValue, of name: String) throws(SpileError) -> KubernetesConfig.Credential {
        for program in ["exec", "auth-provider"] where user[program] != nil && user[program] != .null {
            throw Self.fault(
                "user \"\(name)\" gets its credential from a program (\(program)), and Spile runs none",
                "make a service account and give its token: kubectl create token <account> --duration=24h")
        }
        if let file = user["tokenFile"]?.string, !file.isEmpty { return .tokenFile(path(file)) }
        if let token = user["token"]?.string, !token.isEmpty { return .token(token) }
        if let chain = try bytes(user, "client-certificate") {
            guard let key = try bytes(user, "client-key") else {
                throw Self.fault("user \"\(name)\" has a client certificate without its key", "add client-key-data")
            }
            return .certificate(chain: chain, key: key)
        }
        if user["username"] != nil {
            throw Self.fault("user \"\(name)\" has a password, which no API server takes any more", "give a token")
        }
        return .anonymous
    }

    /// What stands under `name`-data in base64, or in the file that `name` names; nil for neither.
    private func bytes(_ object: JSONValue, _ name: String) throws(SpileError) -> [UInt8]? {
        if let text = object["\(name)-data"]?.string, !text.isEmpty {
            guard let data = Data(base64Encoded: text.filter { !$0.isWhitespace }) else {
                throw Self.fault("its \(name)-data is not base64", "copy it whole")
            }
            return [UInt8](data)
        }
        guard let file = object[name]?.string, !file.isEmpty else { return nil }
        guard let bytes = PosixFiles.read(path(file)) else {
            throw Self.fault("the file \(path(file)) of its \(name) cannot be read", "check that it is there")
        }
        return bytes
    }

    private func path(_ file: String) -> String { file.hasPrefix("/") ? file : "\(folder)/\(file)" }

    static func fault(_ what: String, _ remedy: String) -> SpileError {
        SpileError(.failedPrecondition, "cannot use the kubeconfig: \(what)", remedy: remedy)
    }
}

extension KubernetesConfig {
    /// Reads a kubeconfig: the cluster and the user of its current context. `folder` is where its relative paths begin.
    ///
    /// Its text is JSON or YAML. No error quotes a credential. Throws `failedPrecondition`; users whose credential a
    /// program brings (`exec`, `auth-provider`) are refused with words that say what to do instead.
    package static func kubeconfig(_ text: String, folder: String) throws(SpileError) -> KubernetesConfig {
        try Kubeconfig(root: try document(text), folder: folder).config()
    }

    private static func document(_ text: String) throws(SpileError) -> JSONValue {
        let isJSON = text.first { !$0.isWhitespace } == "{"
        do throws(SpecSyntaxError) {
            return isJSON ? try SpecDocument.plainJSON(text) : try SpecDocument.plainYAML(text)
        } catch {
            throw Kubeconfig.fault(
                "line \(error.line) cannot be read",
                "give it as JSON: kubectl config view --raw --flatten -o json")
        }
    }
}
