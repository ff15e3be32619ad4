import Core
import Foundation
import Simulation
import Testing

@testable import Backends

/// Where the API server is, and what opens it.
@Suite struct KubernetesConfigTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/spile-kubernetes-\(UUID().uuidString)"

    private func put(_ files: [String: String]) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text) in files {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
    }

    private func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

    @Test func `a pod finds its cluster by its environment and its account's files`() throws {
        try put(["token": "t", "ca.crt": "PEM", "namespace": "here\n"])
        defer { removeFolder() }
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]
        let config = try KubernetesConfig.inCluster(environment: environment, folder: folder)
        #expect(config.server == "https://[fd00::1]:443")
        #expect(config.namespace == "here")
        #expect(config.authorities == Array("PEM".utf8))
        guard case .tokenFile(let path) = config.credential else {
            Issue.record("\(config.credential)")
            return
        }
        #expect(path == "\(folder)/token")
    }

    @Test func `outside of a pod, or without an account, it is said what is missing`() throws {
        let outside = try #require(throws: SpileError.self) { try KubernetesConfig.inCluster(environment: [:]) }
        #expect(outside.message.contains("KUBERNETES_SERVICE_HOST"))
        let environment = ["KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"]
        let bare = try #require(throws: SpileError.self) {
            try KubernetesConfig.inCluster(environment: environment, folder: "/nowhere")
        }
        #expect(bare.message.contains("/nowhere/token"))
        #expect(bare.remedy.contains("automountServiceAccountToken"))
    }

    private func kubeconfig(_ user: String, cluster: String = #""server": "https://c:6443/""#) -> String {
        """
        {"current-context": "x",
         "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
         "clusters": [{"name": "c", "cluster": {\(cluster)}}], "users": [{"name": "u", "user": {\(user)}}]}
        """
    }

    @Test func `a kubeconfig's current context is taken`() throws {
        let text = kubeconfig(
            #""token": "t""#,
            cluster: #""server": "https://c:6443/", "certificate-authority-data": "UEVN", "tls-server-name": "k""#)
        let config = try KubernetesConfig.kubeconfig(text, folder: "/")
        #expect(config.server == "https://c:6443" && config.namespace == "n" && config.serverName == "k")
        #expect(config.authorities == Array("PEM".utf8) && !config.isInsecure)
        guard case .token("t") = config.credential else {
            Issue.record("\(config.credential)")
            return
        }
    }

    @Test func `certificates come inline or by paths beside the kubeconfig`() throws {
        try put(["k.pem": "KEY"])
        defer { removeFolder() }
        let user = #""client-certificate-data": "Q0hBSU4=", "client-key": "k.pem""#
        let cluster = #""server": "https://c", "insecure-skip-tls-verify": true"#
        let config = try KubernetesConfig.kubeconfig(kubeconfig(user, cluster: cluster), folder: folder)
        #expect(config.isInsecure)
        guard case .certificate(let chain, let key) = config.credential else {
            Issue.record("\(config.credential)")
            return
        }
        #expect(chain == Array("CHAIN".utf8) && key == Array("KEY".utf8))
    }

    @Test(arguments: [
        (#""exec": {"command": "aws"}"#, "(exec)", "kubectl create token"),
        (#""auth-provider": {"name": "gcp"}"#, "(auth-provider)", "kubectl create token"),
        (#""username": "a", "password": "secret""#, "a password", "give a token"),
        (#""client-certificate-data": "Q0hBSU4=""#, "without its key", "client-key-data"),
        (#""client-certificate-data": "%%secret""#, "client-certificate-data is not base64", "copy it whole"),
        (#""client-certificate": "/nowhere/c.pem""#, "/nowhere/c.pem", "check that it is there"),
    ])
    func `a user whose credential cannot be used is refused with words, and without the credential`(
        user: String, text: String, remedy: String
    ) throws {
        let error = try #require(throws: SpileError.self) {
            try KubernetesConfig.kubeconfig(kubeconfig(user), folder: "/")
        }
        #expect(error.code == .failedPrecondition)
        #expect(error.message.contains(text) && error.remedy.contains(remedy), "\(error)")
        #expect(!"\(error)".contains("secret"))
    }

    @Test func `a kubeconfig that names nothing says what it lacks`() throws {
        for (text, wanted) in [
            ("{}", "current-context"),
            (#"{"current-context": "x"}"#, "there is no context \"x\""),
            (kubeconfig("", cluster: ""), "has no server"),
            (kubeconfig("", cluster: #""server": "c:6443""#), "is not the URL"),
            (kubeconfig("", cluster: #""server": "https://c", "proxy-url": "http://p""#), "proxy-url"),
            ("{", "line 1"),
            ("a: 1", "current-context"),
            ("", "line 1"),
        ] {
            let error = try #require(throws: SpileError.self) { try KubernetesConfig.kubeconfig(text, folder: "/") }
            #expect(error.message.contains(wanted), "\(error)")
        }
    }

    @Test func `a kubeconfig as kubectl writes it is read`() throws {
        let text = """
            apiVersion: v1
            clusters:
            - cluster:
                certificate-authority-data: UEVN
                server: https://c:6443
              name: c
            contexts:
            - context:
                cluster: c
                namespace: n
                user: u
              name: x
            current-context: x
            kind: Config
            preferences: {}
            users:
            - name: u
              user:
                token: t
            """
        let config = try KubernetesConfig.kubeconfig(text, folder: "/")
        #expect(config.server == "https://c:6443" && config.namespace == "n")
        #expect(config.authorities == Array("PEM".utf8))
        for (wrong, line) in [("a: &x 1\nb: *x\n", "line 1"), ("a: 1\n---\nb: 2\n", "line 1"), ("a: [", "line")] {
            let error = try #require(throws: SpileError.self) { try KubernetesConfig.kubeconfig(wrong, folder: "/") }
            #expect(error.message.contains(line), "\(error)")
        }
    }

    @Test func `a certificate that cannot be read is refused before anything is asked`() throws {
        var authority = KubernetesConfig(server: "https://c", authorities: Array("secret".utf8))
        let chain = KubernetesConfig(
            server: "https://c", credential: .certificate(chain: Array("secret".utf8), key: Array("secret".utf8)))
        for (config, name) in [(authority, "certificate-authority"), (chain, "client-certificate")] {
            let error = try #require(throws: SpileError.self) { try KubernetesTLS.configuration(config) }
            #expect(error.code == .failedPrecondition && error.message.contains("its \(name) cannot be read"))
            #expect(!"\(error)".contains("secret"))
        }
        authority.isInsecure = true
        #expect(try KubernetesTLS.configuration(authority).certificateVerification == .none)
    }

    @Test func `a token's file is read again when it has grown old`() throws {
        try put(["token": "one\n"])
        defer { removeFolder() }
        let clock = ScriptedTime()
        let token = KubernetesToken(.tokenFile("\(folder)/token"), clock: clock)
        #expect(try token.value() == "one")
        try put(["token": "two"])
        #expect(try token.value() == "one")
        clock.advance(by: KubernetesToken.longestAge)
        #expect(try token.value() == "two")
        removeFolder()
        clock.advance(by: KubernetesToken.longestAge)
        #expect(try token.value() == "two")
        #expect(throws: SpileError.self) { try KubernetesToken(.tokenFile("/nowhere"), clock: clock).value() }
    }
}
