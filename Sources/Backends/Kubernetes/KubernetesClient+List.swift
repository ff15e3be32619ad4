import Core

/// All objects of a kind that were asked for, as they were at one version.
package struct KubernetesList: Sendable {
    package var items: [JSONValue]
    package var resourceVersion: String
}

extension KubernetesClient {
    /// The objects of a kind that bear `labels` (`a=b,c=d`, empty for all) and have `fields` (`metadata.name=x`), as
    /// they are now. In pages, which are put together; a list that grows old meanwhile is begun anew.
    ///
    /// Throws `resourceExhausted` for one that is too long.
    package func list(
        _ kind: KubernetesKind, labels: String = "", fields: String = ""
    ) async throws -> KubernetesList {
        var beginnings = 0
        while true {
            do {
                return try await pages(kind, labels, fields)
            } catch let error as SpileError where error.code == .aborted && beginnings < 3 {
                beginnings += 1
            }
        }
    }

    private func pages(_ kind: KubernetesKind, _ labels: String, _ fields: String) async throws -> KubernetesList {
        var call = Call(act("list", kind), .GET, kind.path(in: namespace))
        call.mostBytes = Self.mostPageBytes
        let selectors = Self.selectors(labels, fields)
        var items: [JSONValue] = []
        var rest = ""
        for _ in 0..<Self.mostPages {
            call.query = selectors + [("limit", "\(Self.pageLength)")] + (rest.isEmpty ? [] : [("continue", rest)])
            let page = try await ask(call)
            items += page["items"]?.elements ?? []
            rest = page.at("metadata", "continue")?.string ?? ""
            if rest.isEmpty {
                return KubernetesList(
                    items: items, resourceVersion: page.at("metadata", "resourceVersion")?.string ?? "")
            }
        }
        throw KubernetesFault.failure(
            call.act, "there are more than \(items.count)", .resourceExhausted, "remove those that nobody needs")
    }

    static func selectors(_ labels: String, _ fields: String) -> [(String, String)] {
        [("labelSelector", labels), ("fieldSelector", fields)].filter { !$0.1.isEmpty }
    }
}
