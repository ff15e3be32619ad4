import Core

/// A kind of object of the API server, and where its objects are found.
package struct KubernetesKind: Sendable, Hashable {
    /// Empty for the core group.
    let group: String
    let version: String
    let plural: String
    let name: String

    package static let pod = KubernetesKind(group: "", version: "v1", plural: "pods", name: "Pod")
    package static let secret = KubernetesKind(group: "", version: "v1", plural: "secrets", name: "Secret")
    package static let service = KubernetesKind(group: "", version: "v1", plural: "services", name: "Service")
    package static let event = KubernetesKind(group: "", version: "v1", plural: "events", name: "Event")
    package static let lease = KubernetesKind(
        group: "coordination.k8s.io", version: "v1", plural: "leases", name: "Lease")

    /// As it stands in `apiVersion` of a manifest.
    var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// The path of one object, or of all of the namespace.
    func path(in namespace: String, name: String? = nil) -> String {
        let root = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        let all = "\(root)/namespaces/\(namespace)/\(plural)"
        return name.map { "\(all)/\($0)" } ?? all
    }
}
