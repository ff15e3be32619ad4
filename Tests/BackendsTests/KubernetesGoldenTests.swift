import Core
import Foundation
import Testing

@testable import Backends

/// Whole objects, kept beside the tests in Tests/kubernetes/manifests, where a Python test holds them against the
/// published schemas. `SPILE_RECORD=1` writes them anew: look at what changed.
@Suite struct KubernetesGoldenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var order: @Sendable (inout LaunchOrder) -> Void = { _ in }
        var spec: String?
        var options: @Sendable (inout KubernetesOptions) -> Void = { _ in }
        var testDescription: String { name }
    }

    private static let everything = #"""
        {"pipeline":{"name":"my_Spout"},"transform":{"image":"i","cmd":["c"],"memoryVolume":true},
        "spout":{"service":{"internalPort":8000,"externalPort":31803,"type":"NodePort"}},
        "metadata":{"annotations":{"team":"ingestion"}},
        "resourceRequests":{"cpu":0.5,"memory":"1Gi","disk":"2Gi"},
        "resourceLimits":{"cpu":2,"memory":"2Gi","gpu":{"type":"nvidia.com/gpu","number":"1"}},
        "schedulingSpec":{"nodeSelector":{"disk":"ssd"},"priorityClassName":"high"},
        "tolerations":[{"key":"k","operator":"EQUAL","value":"v","effect":"NO_EXECUTE","tolerationSeconds":"60"}],
        "podSpec":"{\"hostname\": \"tap\"}",
        "podPatch":"[{\"op\": \"add\", \"path\": \"/dnsPolicy\", \"value\": \"ClusterFirst\"}]"}
        """#

    static let cases = [
        Case(name: "plain", options: { $0.toolImage = nil }),
        Case(
            name: "everything",
            order: { order in
                order.standardInput = Array("line\n".utf8)
                order.user = "1000:50"
                order.workingDirectory = "/work"
                order.secretFiles = [LaunchMount(secret: "db", path: "/db", files: [("user", [1]), ("odd name", [2])])]
                order.image?.registryConfig = Array("{}".utf8)
                order.image?.port = Exposure(
                    pipeline: order.pipeline, internalPort: 8000, externalPort: 31803, isLocal: false)
            }, spec: everything,
            options: { options in
                options.imagePullSecrets = ["cluster"]
                options.serviceAccount = "spile-worker"
            }),
        Case(
            name: "files",
            order: { order in
                order.run = "4"
                order.command = ["sh"]
                order.pfsFolder = "/data/runs/4"
            }, options: { $0.sharedFolder = .init(claim: "spile-data", path: "/data") }),
        Case(
            name: "worker",
            order: { order in
                order.run = "4"
                order.command = ["/pach-bin/spile", "worker", "/pfs/.scratch/worker", "/pach-bin"]
                order.sidecar = LaunchSidecar(host: "10.1.2.3", port: 30654, key: "key")
            }, spec: transform),
    ]

    private static let transform = #"""
        {"pipeline":{"name":"t"},"transform":{"image":"i","cmd":["c"]},
        "input":{"pfs":{"repo":"data","glob":"/*"}},"sidecarResourceRequests":{"cpu":0.1,"memory":"32Mi"},
        "sidecarResourceLimits":{"memory":"128Mi"}}
        """#

    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("kubernetes/manifests")

    @Test(arguments: cases) func `objects are what they were`(kept: Case) throws {
        let manifest = try KubernetesManifestTests.manifest(
            order: kept.order, spec: kept.spec, options: kept.options)
        var objects = try manifest.secrets()
        if let service = manifest.service() { objects.append(service) }
        objects.append(try manifest.podObject())
        let text = Self.pretty(.array(objects), "") + "\n"
        let file = Self.folder.appendingPathComponent("\(kept.name).json")
        if ProcessInfo.processInfo.environment["SPILE_RECORD"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    /// One member or element a line.
    private static func pretty(_ value: JSONValue, _ indent: String) -> String {
        let inner = indent + "  "
        switch value {
        case .array(let elements) where !elements.isEmpty:
            let lines = elements.map { inner + pretty($0, inner) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
        case .object(let members) where !members.isEmpty:
            let lines = members.map { "\(inner)\(JSONValue.string($0.name).text): \(pretty($0.value, inner))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
        default: return value.text
        }
    }
}
