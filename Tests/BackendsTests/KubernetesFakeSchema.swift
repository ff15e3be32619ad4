import Core
import Foundation

@testable import Backends

/// What the fake knows of its kinds: every field that an object may have, by its type.
enum KubernetesFakeSchema {
    indirect enum Shape: Sendable {
        case text, number, truth, anything
        /// Names are the object's own.
        case map(Shape)
        case list(Shape)
        case object([String: Shape])
    }

    static let groups = [
        "pods": "v1", "secrets": "v1", "services": "v1", "events": "v1", "leases": "coordination.k8s.io/v1",
    ]
    private static let kinds = [
        "pods": "Pod", "secrets": "Secret", "services": "Service", "events": "Event", "leases": "Lease",
    ]

    /// Throws 400 for what is unknown, 422 for what cannot be beside the `others` of its kind.
    static func check(_ kind: String, _ object: JSONValue, beside others: [JSONValue]) throws {
        guard object["apiVersion"]?.string == groups[kind], object["kind"]?.string == kinds[kind],
            let shape = shapes[kind]
        else { throw KubernetesFakeFault(400, "BadRequest", "no kind is registered for what was sent to \(kind)") }
        var common: [String: Shape] = ["apiVersion": .text, "kind": .text, "metadata": metadata]
        common.merge(shape) { $1 }
        try check(object, .object(common), "")
        try checkNames(kind, object)
        if kind == "pods" { try checkPod(object) }
        if kind == "services" { try checkService(object, others) }
        if kind == "secrets" {
            for entry in object["data"]?.members ?? [] where Data(base64Encoded: entry.value.string ?? "") == nil {
                throw KubernetesFakeFault(400, "BadRequest", "data.\(entry.name): illegal base64 data")
            }
        }
    }

    private static func check(_ value: JSONValue, _ shape: Shape, _ path: String) throws {
        switch (shape, value) {
        case (.anything, _), (.text, .string), (.truth, .bool), (.number, .number): return
        case (.map(let inner), .object(let members)):
            for member in members { try check(member.value, inner, "\(path).\(member.name)") }
        case (.list(let inner), .array(let elements)):
            for (index, element) in elements.enumerated() { try check(element, inner, "\(path)[\(index)]") }
        case (.object(let fields), .object(let members)):
            for member in members {
                guard let inner = fields[member.name] else {
                    let name = "\(path).\(member.name)".dropFirst()
                    throw KubernetesFakeFault(400, "BadRequest", "strict decoding error: unknown field \"\(name)\"")
                }
                try check(member.value, inner, "\(path).\(member.name)")
            }
        default:
            throw KubernetesFakeFault(
                400, "BadRequest", "cannot unmarshal \(value.text) into field \(path.dropFirst())")
        }
    }

    private static func invalid(_ text: String) -> KubernetesFakeFault { KubernetesFakeFault(422, "Invalid", text) }

    private static func checkNames(_ kind: String, _ object: JSONValue) throws {
        let pattern = kind == "services" ? "[a-z]([-a-z0-9]{0,61}[a-z0-9])?" : "[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
        guard object.name.range(of: "^\(pattern)$", options: .regularExpression) != nil else {
            throw invalid("metadata.name: Invalid value: \"\(object.name)\"")
        }
        for label in object["metadata"]?["labels"]?.members ?? [] {
            let value = label.value.string ?? ""
            if value.isEmpty { continue }
            guard value.range(of: "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", options: .regularExpression) != nil
            else { throw invalid("metadata.labels: Invalid value: \"\(value)\"") }
        }
    }

    private static func checkPod(_ pod: JSONValue) throws {
        let volumes = Set((pod.at(path: "spec/volumes")?.elements ?? []).map { $0["name"]?.string ?? "" })
        guard volumes.count == pod.at(path: "spec/volumes")?.elements.count ?? 0 else {
            throw invalid("spec.volumes: Duplicate value")
        }
        let containers = pod.at(path: "spec/containers")?.elements ?? []
        if containers.isEmpty { throw invalid("spec.containers: Required value") }
        for container in containers + (pod.at(path: "spec/initContainers")?.elements ?? []) {
            if container["image"]?.string?.isEmpty ?? true { throw invalid("spec.containers[0].image: Required value") }
            for mount in container["volumeMounts"]?.elements ?? [] where !volumes.contains(mount["name"]?.string ?? "")
            {
                throw invalid("spec.containers[0].volumeMounts[0].name: Not found: \"\(mount["name"]?.string ?? "")\"")
            }
        }
    }

    private static func checkService(_ service: JSONValue, _ others: [JSONValue]) throws {
        func ports(_ service: JSONValue) -> [JSONValue] { service.at(path: "spec/ports")?.elements ?? [] }
        let taken = others.flatMap(ports).compactMap { $0["nodePort"]?.integer }
        for port in ports(service) {
            guard (1...65535).contains(port["port"]?.integer ?? 0) else { throw invalid("spec.ports[0].port: Invalid") }
            if let node = port["nodePort"]?.integer, !(30000...32767).contains(node) {
                throw invalid("spec.ports[0].nodePort: Invalid value: \(node): provided port is not in the valid range")
            }
            if let node = port["nodePort"]?.integer, taken.contains(node) {
                throw invalid("spec.ports[0].nodePort: Invalid value: \(node): provided port is already allocated")
            }
        }
    }

    private static let owner = Shape.object(["apiVersion": .text, "kind": .text, "name": .text, "uid": .text])
    private static let metadata = Shape.object([
        "name": .text, "namespace": .text, "labels": .map(.text), "annotations": .map(.text), "uid": .text,
        "resourceVersion": .text, "creationTimestamp": .text, "deletionTimestamp": .text,
        "deletionGracePeriodSeconds": .number, "ownerReferences": .list(owner),
    ])
    private static let security = Shape.object([
        "runAsUser": .number, "runAsGroup": .number, "runAsNonRoot": .truth, "fsGroup": .number,
        "allowPrivilegeEscalation": .truth, "readOnlyRootFilesystem": .truth,
        "capabilities": .object(["drop": .list(.text)]), "seccompProfile": .object(["type": .text]),
    ])
    private static let key = Shape.object(["name": .text, "key": .text])
    private static let variable = Shape.object([
        "name": .text, "value": .text,
        "valueFrom": .object(["secretKeyRef": key, "fieldRef": .object(["fieldPath": .text])]),
    ])
    private static let container = Shape.object([
        "name": .text, "image": .text, "imagePullPolicy": .text, "command": .list(.text), "args": .list(.text),
        "workingDir": .text, "env": .list(variable),
        "ports": .list(.object(["name": .text, "containerPort": .number])),
        "resources": .object(["requests": .map(.text), "limits": .map(.text)]), "securityContext": security,
        "volumeMounts": .list(
            .object(["name": .text, "mountPath": .text, "subPath": .text, "readOnly": .truth])),
    ])
    private static let volume = Shape.object([
        "name": .text, "emptyDir": .object(["medium": .text]), "persistentVolumeClaim": .object(["claimName": .text]),
        "secret": .object([
            "secretName": .text, "defaultMode": .number, "optional": .truth,
            "items": .list(.object(["key": .text, "path": .text, "mode": .number])),
        ]),
    ])
    private static let pod: [String: Shape] = [
        "spec": .object([
            "restartPolicy": .text, "terminationGracePeriodSeconds": .number, "shareProcessNamespace": .truth,
            "automountServiceAccountToken": .truth, "serviceAccountName": .text,
            "imagePullSecrets": .list(.object(["name": .text])), "nodeSelector": .map(.text),
            "priorityClassName": .text, "securityContext": security, "initContainers": .list(container),
            "containers": .list(container), "volumes": .list(volume), "hostname": .text,
            "tolerations": .list(
                .object([
                    "key": .text, "operator": .text, "value": .text, "effect": .text, "tolerationSeconds": .number,
                ])),
        ]), "status": .anything,
    ]
    private static let shapes: [String: [String: Shape]] = [
        "pods": pod,
        "secrets": ["type": .text, "immutable": .truth, "data": .map(.text)],
        "services": [
            "spec": .object([
                "type": .text, "selector": .map(.text), "clusterIP": .text,
                "ports": .list(
                    .object([
                        "name": .text, "protocol": .text, "port": .number, "targetPort": .number, "nodePort": .number,
                    ])),
            ]), "status": .anything,
        ],
        "events": ["involvedObject": .anything, "type": .text, "message": .text, "lastTimestamp": .text],
        "leases": [
            "spec": .object([
                "holderIdentity": .text, "leaseDurationSeconds": .number, "acquireTime": .text, "renewTime": .text,
                "leaseTransitions": .number,
            ])
        ],
    ]
}

/// The selectors that the fake knows.
enum KubernetesFakeSelectors {
    static func match(_ object: JSONValue, _ query: [String: String]) throws -> Bool {
        for term in (query["labelSelector"] ?? "").split(separator: ",") {
            let parts = term.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw KubernetesFakeFault(400, "BadRequest", "unable to parse \(term)") }
            let label = object["metadata"]?["labels"]?[String(parts[0])]?.string
            if label != String(parts[1]) { return false }
        }
        for term in (query["fieldSelector"] ?? "").split(separator: ",") {
            let parts = term.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, ["metadata.name", "involvedObject.uid", "type"].contains(parts[0]) else {
                throw KubernetesFakeFault(400, "BadRequest", "field label not supported: \(term)")
            }
            let path = parts[0].split(separator: ".").joined(separator: "/")
            if object.at(path: path)?.string != parts[1] { return false }
        }
        return true
    }
}
