import Core

/// How pods are made, for all pipelines alike.
package struct KubernetesOptions: Sendable {
    /// When a node fetches an image.
    package enum Pull: String, Sendable, CaseIterable {
        case missing = "IfNotPresent"
        case always = "Always"
        case never = "Never"
    }

    /// A volume that this server and pods of any node mount.
    package struct SharedFolder: Sendable {
        /// The claim's name, in the pods' namespace.
        package var claim: String
        /// Where this server has it.
        package var path: String
        package init(claim: String, path: String) {
            self.claim = claim
            self.path = path
        }
    }

    /// Tells the objects of this server from those of others in the namespace: a label's value, the same after a
    /// restart.
    package var owner: String
    /// An image that holds the static `spile` program; nil leaves pods without `pachctl`.
    package var toolImage: String?
    /// Where it is in that image. It has to be static, because it runs in any image.
    static let toolBinary = "/usr/local/bin/spile"
    package var pull = Pull.missing
    /// Pull secrets of the namespace that every pod gets.
    package var imagePullSecrets: [String] = []
    /// The account that code runs as; nil for the namespace's own. Its token is not given to code.
    package var serviceAccount: String?
    /// What programs with files at `/pfs` need; nil refuses them.
    package var sharedFolder: SharedFolder?
    /// What a pod asks for whose spec says nothing of resources (`pps.md` §5.2).
    static let defaultRequests = KubernetesResources(processors: 1, memory: "256Mi", disk: "1Gi")
    /// The version that objects bear as `pachVersion`; empty for none.
    package var version = ""
    /// Seconds that a pod which fits no node may wait for one.
    package var schedulePatience = 120.0
    /// Seconds that a pod may take to run, image included.
    package var startPatience = 900.0
    /// Seconds between SIGTERM and SIGKILL where a pod is ended by somebody else.
    package var grace = 30

    package init(owner: String) { self.owner = owner }
}

/// Amounts of a machine, as a spec names them.
package struct KubernetesResources: Sendable, Equatable {
    package var processors: Double?
    /// Quantities, such as `256Mi`.
    package var memory: String?
    package var disk: String?
    /// A device's resource name and how many of it.
    package var devices: [String: Int64] = [:]

    package init(processors: Double? = nil, memory: String? = nil, disk: String? = nil) {
        self.processors = processors
        self.memory = memory
        self.disk = disk
    }

    /// Reads a `ResourceSpec` of canonical JSON. Quantities that are none are left out (`pps.md` §1.2).
    init(spec: JSONValue) {
        if case .number(let text)? = spec["cpu"], let number = Double(text), number > 0, number.isFinite {
            processors = number
        }
        memory = Self.quantity(spec["memory"])
        disk = Self.quantity(spec["disk"])
        if let type = spec.at("gpu", "type")?.string, !type.isEmpty, let number = spec.at("gpu", "number")?.integer,
            number > 0
        {
            devices = [type: number]
        }
    }

    private static func quantity(_ value: JSONValue?) -> String? {
        value?.string.flatMap { Quantity.parse($0) ?? 0 > 0 ? $0 : nil }
    }

    /// What a sidecar asks for whose spec says nothing (`pps.md` §5.2).
    static let sidecar = KubernetesResources(memory: "64M")

    /// As a container's `requests` or `limits`; nil for nothing.
    var json: JSONValue? {
        var texts: [String: String] = [:]
        if let processors { texts["cpu"] = "\(Int64(min((processors * 1000).rounded(.up), 1e9)))m" }
        if let memory { texts["memory"] = memory }
        if let disk { texts["ephemeral-storage"] = disk }
        for (name, number) in devices { texts[name] = "\(number)" }
        return .texts(texts)
    }

    /// The same without devices, for a container that only copies a file.
    var withoutDevices: KubernetesResources { KubernetesResources(processors: processors, memory: memory, disk: disk) }
}
