import Core
import Foundation
import Testing

@testable import Backends

/// The objects of a run (`pps.md` §3.7, §4.2, §5, §6).
@Suite struct KubernetesManifestTests {
    static func options(_ change: (inout KubernetesOptions) -> Void = { _ in }) -> KubernetesOptions {
        var options = KubernetesOptions(owner: "o1")
        options.toolImage = "spile:1"
        options.version = "2.12.0"
        change(&options)
        return options
    }

    static func order(_ change: (inout LaunchOrder) -> Void = { _ in }) -> LaunchOrder {
        var order = LaunchOrder(
            pipeline: PipelineKey(project: ProjectKey("Pro_j"), name: "my_Spout"), epoch: 7,
            command: ["python3", "/s.py", "$HOME"], environment: [("NOT", "taken")],
            files: [(path: "config.json", bytes: Array("{}".utf8), mode: 0o600)],
            fileVariables: [(name: "PACH_CONFIG", path: "config.json")], output: { _ in })
        order.image = LaunchImage(name: "user/image:2", environment: [("A", "$(B) 'x'"), ("PPS_POD_NAME", "wrong")])
        change(&order)
        return order
    }

    static func manifest(
        order change: (inout LaunchOrder) -> Void = { _ in }, spec: String? = nil,
        options: (inout KubernetesOptions) -> Void = { _ in }
    ) throws -> KubernetesManifest {
        let options = Self.options(options)
        var order = Self.order(change)
        if let spec {
            order.version = LaunchVersion(
                number: 3, specCommit: try #require(CommitID("0123456789ab4def8123456789abcdef")),
                spec: try PipelineSpec(canonical: spec))
        }
        return KubernetesManifest(try KubernetesPod(order, options: options), options: options)
    }

    static func spec(_ more: String) -> String {
        #"{"pipeline":{"name":"my_Spout"},"transform":{"image":"i","cmd":["c"]},"spout":{}\#(more)}"#
    }

    private func texts(_ json: JSONValue?) -> [String: String] {
        Dictionary((json?.members ?? []).map { ($0.name, $0.value.string ?? $0.value.text) }, uniquingKeysWith: { $1 })
    }

    @Test func `names, labels and annotations are those of the contract`() throws {
        let manifest = try Self.manifest(spec: Self.spec(#","metadata":{"labels":{"app":"mine","team":"t"}}"#)) {
            _ in
        }
        let pod = try manifest.podObject()
        #expect(pod.name.hasPrefix("pro-j-my-spout-v3-7-"))
        #expect(manifest.serviceName == "pro-j-my-spout-v3-user")
        let labels = [
            "app": "pipeline", "pipelineName": "my_Spout", "pipelineProject": "Pro_j", "pipelineVersion": "3",
            "suite": "pachyderm", "component": "worker", "spile.io/owner": "o1", "spile.io/epoch": "7",
        ]
        #expect(texts(pod.at("metadata", "labels")) == labels)
        #expect(
            texts(pod.at("metadata", "annotations")) == [
                "pipelineName": "my_Spout", "pipelineProject": "Pro_j", "pipelineVersion": "3",
                "specCommit": "0123456789ab4def8123456789abcdef", "pachVersion": "2.12.0",
            ])
    }

    @Test func `labels and annotations of the spec stand beside the reserved ones, not over them`() throws {
        let manifest = try Self.manifest(
            order: { $0.image?.labels = [("app", "mine"), ("team", "t")] },
            spec: Self.spec(#","metadata":{"annotations":{"note":"n","pipelineName":"other"}}"#))
        let pod = try manifest.podObject()
        let labels = texts(pod.at("metadata", "labels"))
        #expect(labels["team"] == "t" && labels["app"] == "pipeline")
        let annotations = texts(pod.at("metadata", "annotations"))
        #expect(annotations["note"] == "n" && annotations["pipelineName"] == "my_Spout")
    }

    @Test func `names of pods differ where the pipelines' differ in what Kubernetes cannot tell apart`() throws {
        let names = try ["a_b", "a-b", "A-b"].map { name in
            try Self.manifest(order: { $0.pipeline = PipelineKey(name: name) }).podName
        }
        #expect(Set(names).count == 3)
        #expect(names.allSatisfy { $0.hasPrefix("default-a-b-7-") })
        let runs = try ["", "1", "2"].map { run in try Self.manifest(order: { $0.run = run }).podName }
        #expect(Set(runs).count == 3)
    }

    @Test func `a label that cannot hold a name holds what it can, with a mark`() {
        #expect(KubernetesNames.labelValue("a_b-c.d") == "a_b-c.d")
        for text in ["ends-", "_x", String(repeating: "a", count: 64), ""] {
            let value = KubernetesNames.labelValue(text)
            #expect(value != text && value.utf8.count <= 63)
            #expect(value.range(of: "^[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]$", options: .regularExpression) != nil)
        }
    }

    @Test func `the program is brought by an init container to a folder of the pod`() throws {
        let spec = try Self.manifest().podObject()["spec"]
        #expect(spec?.at(path: "initContainers/0/image") == "spile:1")
        let words = spec?.at(path: "initContainers/0/command")?.elements.compactMap(\.string) ?? []
        #expect(words == ["/usr/local/bin/spile", "install-tools", "/pach-bin"])
        #expect(
            spec?.at(path: "containers/0/volumeMounts")?.elements.contains(
                ["name": "pach-bin", "mountPath": "/pach-bin", "readOnly": true]) == true)
        let bare = try Self.manifest(options: { $0.toolImage = nil }).podObject()
        #expect(bare.at(path: "spec/initContainers") == nil)
        #expect(!bare.text.contains("pach-bin"))
    }

    @Test func `values of variables stand in the Secret, never in the pod`() throws {
        let manifest = try Self.manifest()
        let pod = try manifest.podObject()
        #expect(!pod.text.contains("'x'") && !pod.text.contains("wrong") && !pod.text.contains("taken"))
        let environment = pod.at(path: "spec/containers/0/env")?.elements ?? []
        #expect(
            environment.map { $0["name"]?.string } == [
                "A", "PACH_CONFIG", "PACH_NAMESPACE", "PPS_POD_NAME", "PPS_WORKER_IP",
            ])
        let reference = environment[0].at("valueFrom", "secretKeyRef")
        let secret = try #require(manifest.secrets().first { $0.name == reference?["name"]?.string })
        let value = secret["data"]?[reference?["key"]?.string ?? ""]?.string ?? ""
        #expect(Data(base64Encoded: value) == Data("$(B) 'x'".utf8))
        #expect(secret["immutable"] == true)
    }

    @Test func `a spout's Secret has the contract's name, key and labels`() throws {
        let manifest = try Self.manifest(spec: Self.spec(""))
        let secret = try #require(manifest.secrets().first)
        #expect(secret.name == "spout-pachctl-secret-pro-j-my-spout")
        #expect(secret.at("data", "config.json") == "e30=")
        #expect(texts(secret.at("metadata", "labels"))["app"] == "spout")
        let pod = try manifest.podObject()
        let volume = pod.at(path: "spec/volumes")?.elements.first { $0["name"] == "pachyderm-pachctl-secret" }
        #expect(
            volume?.at("secret", "items")?.elements.first == ["key": "config.json", "path": "config.json", "mode": 292])
        // Of several runs at once each has its own.
        let run = try Self.manifest(order: { $0.run = "2" })
        #expect(try run.secrets().first?.name == run.podName)
    }

    @Test func `secrets and pull secrets are Secrets of the pod's own`() throws {
        let manifest = try Self.manifest(
            order: {
                $0.secretFiles = [
                    LaunchMount(secret: "db", path: "/db", files: [("user", [1]), ("odd name", [2])]),
                    LaunchMount(secret: "db", path: "/again", files: [("user", [1])]),
                    LaunchMount(secret: "Un.Plain", path: "/u", files: []),
                ]
                $0.image?.registryConfig = Array("{}".utf8)
            }, options: { $0.imagePullSecrets = ["cluster"] })
        let pod = try manifest.podObject()
        let secrets = try manifest.secrets()
        #expect(Set(secrets.map(\.name)).count == secrets.count)
        #expect(pod.at(path: "spec/imagePullSecrets")?.elements.last == ["name": "cluster"])
        let pull = try #require(secrets.last)
        #expect(pull["type"] == "kubernetes.io/dockerconfigjson" && pull.at("data", ".dockerconfigjson") == "e30=")
        #expect(pod.at(path: "spec/imagePullSecrets")?.elements.first == ["name": .string(pull.name)])
        let volumes = pod.at(path: "spec/volumes")?.elements ?? []
        #expect(volumes.suffix(3).map { $0["name"]?.string } == ["db", "secret-1", "secret-2"])
        let items = volumes.first { $0["name"] == "db" }?.at("secret", "items")?.elements ?? []
        #expect(items == [["key": "user", "path": "user"], ["key": "file-1", "path": "odd name"]])
        let mounts = pod.at(path: "spec/containers/0/volumeMounts")?.elements ?? []
        #expect(mounts.suffix(3).map { $0["mountPath"]?.string } == ["/db", "/again", "/u"])
    }

    @Test func `what no Secret holds is refused with its size`() throws {
        let manifest = try Self.manifest(order: { $0.standardInput = [UInt8](repeating: 10, count: 1 << 20) })
        let error = try #require(throws: SpileError.self) { try manifest.secrets() }
        #expect(error.code == .failedPrecondition && error.message.contains("1048"), "\(error)")
    }

    @Test func `words of commands are taken as they are`() throws {
        let command = try Self.manifest().podObject().at(path: "spec/containers/0/command")
        #expect(command == ["python3", "/s.py", "$$HOME"])
        #expect(KubernetesManifest.unexpanded("$(A) $$ $") == "$$(A) $$$$ $$")
    }

    @Test func `a standard input is opened by a shell`() throws {
        let other = try Self.manifest(order: { $0.standardInput = [1] })
        #expect(
            other.command == ["/bin/sh", "-c", "exec \"$0\" \"$@\" < /pachctl/.stdin", "python3", "/s.py", "$HOME"])
        let shell = try Self.manifest(order: {
            $0.command = ["/usr/bin/bash", "-e"]
            $0.standardInput = [1]
        })
        #expect(
            shell.command == [
                "/usr/bin/bash", "-c", "export PATH=\"$PATH:/pach-bin\"; exec \"$0\" \"$@\" < /pachctl/.stdin",
                "/usr/bin/bash", "-e",
            ])
        let items = try shell.podObject().text
        #expect(items.contains(#"{"key":"input","path":".stdin"}"#))
    }

    @Test func `a PATH that is given gets the tools' folder behind it`() throws {
        let manifest = try Self.manifest(order: { $0.image?.environment = [("PATH", "/a"), ("PATH", "/b")] })
        #expect(manifest.variables.filter { $0.name == "PATH" }.map(\.value) == ["/b:/pach-bin"])
    }

    @Test func `resources are asked for and bounded as the spec says`() throws {
        let more = """
            ,"resourceRequests":{"cpu":0.5,"memory":"1Gi","disk":"nonsense"},\
            "resourceLimits":{"cpu":2,"gpu":{"type":"nvidia.com/gpu","number":"1"}}
            """
        let pod = try Self.manifest(spec: Self.spec(more)).podObject()
        #expect(
            pod.at(path: "spec/containers/0/resources") == [
                "requests": ["cpu": "500m", "memory": "1Gi"], "limits": ["cpu": "2000m", "nvidia.com/gpu": "1"],
            ])
        #expect(pod.at(path: "spec/initContainers/0/resources/limits") == ["cpu": "2000m"])
    }

    @Test func `a spec without resources gets the default, an empty request none`() throws {
        let silent = try Self.manifest(spec: Self.spec("")).podObject()
        #expect(
            silent.at(path: "spec/containers/0/resources/requests") == [
                "cpu": "1000m", "ephemeral-storage": "1Gi", "memory": "256Mi",
            ])
        let empty = try Self.manifest(spec: Self.spec(#","resourceRequests":{}"#)).podObject()
        #expect(empty.at(path: "spec/containers/0/resources") == [:])
    }

    @Test func `scheduling and tolerations are passed on in the words of Kubernetes`() throws {
        let more = """
            ,"schedulingSpec":{"nodeSelector":{"disk":"ssd"},"priorityClassName":"high"},"tolerations":[\
            {"key":"k","operator":"EQUAL","value":"v","effect":"NO_EXECUTE","tolerationSeconds":"60"},\
            {"operator":"EXISTS","effect":"ALL_EFFECTS"}]
            """
        let spec = try Self.manifest(spec: Self.spec(more)).podObject()["spec"]
        #expect(spec?["nodeSelector"] == ["disk": "ssd"] && spec?["priorityClassName"] == "high")
        #expect(
            spec?["tolerations"] == [
                ["key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60],
                ["operator": "Exists"],
            ])
    }

    @Test func `pod_spec is merged first, pod_patch changes the result`() throws {
        let more =
            #","podSpec":"{\"hostname\": \"h\", \"priorityClassName\": null}","#
            + #""podPatch":"[{\"op\":\"test\",\"path\":\"/hostname\",\"value\":\"h\"},"#
            + #"{\"op\":\"replace\",\"path\":\"/terminationGracePeriodSeconds\",\"value\":99}]","#
            + #""schedulingSpec":{"priorityClassName":"high"}"#
        let spec = try Self.manifest(spec: Self.spec(more)).podObject()["spec"]
        #expect(spec?["hostname"] == "h" && spec?["terminationGracePeriodSeconds"] == 99)
        #expect(spec?["priorityClassName"] == nil)
        let bad = Self.spec(#","podPatch":"[{\"op\":\"remove\",\"path\":\"/nowhere\"}]""#)
        let error = try #require(throws: SpileError.self) { try Self.manifest(spec: bad).podObject() }
        #expect(error.message == "pod_patch: operation 1 (remove /nowhere): there is no \"nowhere\"")
    }

    @Test func `a user that is a number closes the container, a name is refused`() throws {
        let pod = try Self.manifest(order: { $0.user = "1000:50" }).podObject()
        #expect(pod.at(path: "spec/securityContext/runAsUser") == 1000)
        #expect(pod.at(path: "spec/securityContext/fsGroup") == 50)
        #expect(pod.at(path: "spec/containers/0/securityContext/readOnlyRootFilesystem") == true)
        let root = try Self.manifest(order: { $0.user = "0" }).podObject()
        #expect(root.at(path: "spec/securityContext/runAsNonRoot") == false)
        #expect(try Self.manifest().podObject().at(path: "spec/containers/0/securityContext") == nil)
        for name in ["nobody", "1000:staff", "-1", "1:2:3"] {
            let error = try #require(throws: SpileError.self) {
                try Self.manifest(order: { $0.user = name }).podObject()
            }
            #expect(error.message.contains("transform.user \"\(name)\""))
        }
    }

    @Test func `files at pfs come by a volume that the server shares, or not at all`() throws {
        let error = try #require(throws: SpileError.self) {
            try Self.manifest(order: { $0.pfsFolder = "/data/x/1" }).podObject()
        }
        #expect(error.code == .failedPrecondition && error.remedy.contains("ReadWriteMany"))
        let shared = KubernetesOptions.SharedFolder(claim: "data", path: "/data")
        let pod = try Self.manifest(
            order: { $0.pfsFolder = "/data/x/1" }, options: { $0.sharedFolder = shared }
        ).podObject()
        let mounts = pod.at(path: "spec/containers/0/volumeMounts")?.elements ?? []
        #expect(mounts.contains(["name": "pachyderm-worker", "mountPath": "/pfs", "subPath": "x/1"]))
        #expect(throws: SpileError.self) {
            try Self.manifest(order: { $0.pfsFolder = "/database" }, options: { $0.sharedFolder = shared }).podObject()
        }
    }

    @Test(arguments: ["ClusterIP", "NodePort", "LoadBalancer"])
    func `a service is exposed by its type`(type: String) throws {
        let manifest = try Self.manifest(
            order: { order in
                order.image?.port = Exposure(
                    pipeline: order.pipeline, internalPort: 8000, externalPort: 31803, isLocal: type == "ClusterIP")
            },
            spec: #"{"pipeline":{"name":"p"},"transform":{"cmd":["c"]},"spout":{"service":{"internalPort":8000,"#
                + #""externalPort":31803,"type":"\#(type)"}}}"#)
        let service = try #require(manifest.service())
        #expect(service.name == "pro-j-my-spout-v3-user")
        #expect(service.at("spec", "type")?.string == type)
        let port = service.at(path: "spec/ports/0")
        #expect(port?["name"] == "user-port" && port?["port"] == 31803 && port?["targetPort"] == 8000)
        #expect(port?["nodePort"] == (type == "NodePort" ? 31803 : nil))
        #expect(service.at("spec", "selector")?["pipelineVersion"] == "3")
        #expect(service.at("spec", "clusterIP") == nil && service.at("spec", "loadBalancerIP") == nil)
    }

    @Test func `code gets no credential of the cluster's, and is never restarted in place`() throws {
        let spec = try Self.manifest().podObject()["spec"]
        #expect(spec?["automountServiceAccountToken"] == false && spec?["restartPolicy"] == "Never")
        #expect(spec?["shareProcessNamespace"] == true)
    }

    @Test func `nothing to run, or nothing to run in, is an error that says so`() {
        let none = #expect(throws: SpileError.self) { try Self.manifest(order: { $0.command = [] }) }
        #expect(none?.message == "nothing to run: no transform.cmd")
        #expect(throws: SpileError.self) { try Self.manifest(order: { $0.image = nil }) }
    }
}
