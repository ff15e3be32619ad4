import Core

extension KubernetesLauncher {
    // MARK: Services

    /// Makes the pipeline's Service what it has to be, nil for none: its address, and what port a node gave it, stay.
    /// Those of older versions go before: two cannot have the same port of all nodes.
    func keep(_ service: JSONValue?, _ manifest: KubernetesManifest) async throws {
        // Code that is run once for each datum serves nothing, and is not worth a look each time.
        if service == nil, !manifest.pod.run.isEmpty { return }
        for old in try await client.list(.service, labels: manifest.names.selector).items
        where service == nil || old.at("metadata", "name")?.string != manifest.serviceName {
            try await remove(old, .service)
        }
        if let service { try await put(service, manifest.serviceName) }
    }

    /// Looks before it makes one: one that is there has its ports, and what asks for them again is refused for that.
    private func put(_ service: JSONValue, _ name: String) async throws {
        for isLast in Self.lasts {
            if let old = try await found(.service, name) {
                try own(old, like: service, .service)
                _ = try await client.patch(
                    .service, name,
                    .present(["metadata": service["metadata"], "spec": service["spec"]]))
                return
            }
            do {
                _ = try await client.create(.service, service)
                return
            } catch let error as SpileError where !isLast && error.code == .alreadyExists {
                continue
            }
        }
    }

    /// A load balancer's address, or else the cluster's own (`pps.md` §4.2).
    package func serviceAddress(of pipeline: PipelineKey, on kind: LauncherKind?) async throws -> String? {
        let names = KubernetesNames(pipeline, owner: options.owner)
        let services = try await client.list(.service, labels: names.selector).items
        guard let service = services.first else { return "" }
        if service.at("spec", "type")?.string == "LoadBalancer" {
            let ingress = service.at("status", "loadBalancer", "ingress")?.elements.first
            return ingress?["ip"]?.string ?? ingress?["hostname"]?.string ?? ""
        }
        return service.at("spec", "clusterIP")?.string.flatMap { $0 == "None" ? nil : $0 } ?? ""
    }

    // MARK: Cleaning

    /// Ends all pods of a pipeline and removes its Services and Secrets, of all its versions. What this server itself
    /// starts or watches is let be: that is of a younger pipeline of the name, or of the transform that it is now.
    package func forget(_ pipeline: PipelineKey) async throws {
        try await clean(KubernetesNames(pipeline, owner: options.owner).selector) { _ in true }
    }

    package func forgetAll(where isGone: @Sendable (PipelineKey) throws -> Bool) async throws {
        try await clean(KubernetesNames.selector(owner: options.owner)) { object in
            try Self.pipeline(of: object).map(isGone) ?? false
        }
    }

    private func clean(_ selector: String, _ isGone: (JSONValue) throws -> Bool) async throws {
        for service in try await client.list(.service, labels: selector).items where try isGone(service) {
            try await remove(service, .service)
        }
        let pods = try await client.list(.pod, labels: selector).items
        let own = ownPods
        for pod in pods where try isGone(pod) {
            let state = KubernetesPodState(pod)
            if own.contains(state.name) { continue }
            try await client.remove(pod: state.name, uid: state.uid, grace: 0)
        }
        for secret in try await client.list(.secret, labels: selector).items where try isGone(secret) {
            // Until its pod is there, its name alone tells whose it is.
            let name = secret.at("metadata", "name")?.string ?? ""
            let pod = secret.at("metadata", "ownerReferences")?.elements.first?["name"]?.string
            if ownPods.contains(where: { name == $0 || name.hasPrefix("\($0)-") || pod == $0 }) { continue }
            try await remove(secret, .secret)
        }
    }

    /// Whose an object is. Labels cannot hold every name; annotations can.
    static func pipeline(of object: JSONValue) -> PipelineKey? {
        guard let name = object.at("metadata", "annotations", "pipelineName")?.string,
            let project = object.at("metadata", "annotations", "pipelineProject")?.string
        else { return nil }
        return PipelineKey(project: ProjectKey(project), name: name)
    }

    /// Removes this very object; one that is gone, or has been made anew, is no error.
    func remove(_ object: JSONValue, _ kind: KubernetesKind) async throws {
        guard let name = object.at("metadata", "name")?.string else { return }
        do {
            try await client.delete(kind, name, uid: object.at("metadata", "uid")?.string)
        } catch let error as SpileError where error.code == .aborted {
            return
        }
    }

    /// Throws unless `old` is this server's and of the same pipeline as `new`: names of two pipelines may come to the
    /// same one in Kubernetes.
    func own(_ old: JSONValue, like new: JSONValue, _ kind: KubernetesKind) throws(SpileError) {
        let name = old.at("metadata", "name")?.string ?? ""
        let owner = old.at("metadata", "labels", KubernetesNames.ownerLabel)?.string
        if owner == KubernetesNames.labelValue(options.owner), Self.pipeline(of: old) == Self.pipeline(of: new) {
            return
        }
        let whose = Self.pipeline(of: old).map { "of pipeline \($0)" } ?? "of somebody else"
        throw SpileError(
            .failedPrecondition,
            "there is a \(kind.name) \(client.namespace)/\(name) \(whose) already",
            remedy:
                "names that differ in capitals, _ and - alone are one in Kubernetes: rename the pipeline, or remove "
                + "that object")
    }
}
