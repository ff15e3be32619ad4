import API
import SwiftProtobuf

/// Checks a spec against the message it becomes, and says where it does not fit and what to write instead.
///
/// The decoder names neither place nor expectation. Both are found by trying: the smallest document around each single
/// value is decoded alone, the first that fails is the culprit; what would fit in its place is tried the same way.
enum SpecCheck {
    static func check(_ spec: SpecDocument) throws {
        do {
            _ = try PpsV2_CreatePipelineRequest(jsonString: spec.json.compact)
        } catch {
            throw explain(error, spec)
        }
        guard let pipeline = spec.json["pipeline"], pipeline != .null else {
            throw Failure("\(spec.place(FieldPath())): no `pipeline` specified: add \"pipeline: {name: …}\"")
        }
        guard let name = pipeline["name"]?.text, !name.isEmpty else {
            let place = spec.place(FieldPath(steps: [.key("pipeline")]))
            throw Failure("\(place): no pipeline `name` specified: add \"name\" under \"pipeline\"")
        }
    }

    /// A remark on an image that will not stay the same: without a tag, or `latest`.
    static func imageWarning(_ spec: SpecDocument) -> String? {
        guard let image = spec.json["transform"]?["image"]?.text, !image.isEmpty, !image.contains("@") else {
            return nil
        }
        let tag = image.split(separator: "/").last?.split(separator: ":").dropFirst().first
        if let tag, tag != "latest" { return nil }
        let place = spec.place(FieldPath(steps: [.key("transform"), .key("image")]))
        return "warning: \(place): the image \"\(image)\" has no fixed tag; a later pull may give other code"
    }

    // MARK: - Explaining

    private static func explain(_ error: any Error, _ spec: SpecDocument) -> Failure {
        for (path, leaf) in leaves(of: spec.json, FieldPath()) {
            guard let failure = failure(path, leaf) else { continue }
            if case JSONDecodingError.unknownField(let name) = failure {
                return unknown(name, path, spec)
            }
            return mismatch(path, leaf, failure, spec)
        }
        if case JSONDecodingError.conflictingOneOf = error {
            return Failure("\(spec.place(FieldPath())): two fields are set of which only one may be")
        }
        return Failure("\(spec.place(FieldPath())): this is not a pipeline spec: \(error)")
    }

    /// Every scalar and every empty list or mapping, in the order of the text.
    private static func leaves(of json: JSON, _ path: FieldPath) -> [(FieldPath, JSON)] {
        switch json {
        case .array(let elements) where !elements.isEmpty:
            elements.enumerated().flatMap { leaves(of: $0.element, path.appending(.index($0.offset))) }
        case .object(let members) where !members.isEmpty:
            members.flatMap { leaves(of: $0.value, path.appending(.key($0.key))) }
        default: [(path, json)]
        }
    }

    /// What the decoder says about a document with nothing but this value in it.
    private static func failure(_ path: FieldPath, _ value: JSON) -> (any Error)? {
        var document = value
        for step in path.steps.reversed() {
            switch step {
            case .index: document = .array([document])
            case .key(let key): document = .object([JSON.Member(key: key, value: document)])
            }
        }
        do {
            _ = try PpsV2_CreatePipelineRequest(jsonString: document.compact)
            return nil
        } catch {
            return error
        }
    }

    private static func unknown(_ name: String, _ path: FieldPath, _ spec: SpecDocument) -> Failure {
        // The shortest path that already fails, with nothing below it, is the field that does not exist.
        var culprit = path
        for count in 1...max(1, path.steps.count) {
            let prefix = FieldPath(steps: Array(path.steps.prefix(count)))
            guard case .key(name)? = prefix.steps.last else { continue }
            if case JSONDecodingError.unknownField? = failure(prefix, .null) as? JSONDecodingError {
                culprit = prefix
                break
            }
        }
        let parent = FieldPath(steps: culprit.steps.dropLast())
        let known = SpecVocabulary.fields.filter { failure(parent.appending(.key($0)), .null) == nil }
        var text = "\(spec.place(culprit)): \(culprit): unknown field \"\(name)\""
        if let advice = SpecVocabulary.advice(for: culprit) {
            text += ": \(advice)"
        } else if let best = closest(to: name, among: known) {
            text += ": did you mean \"\(best)\"?"
        } else if !known.isEmpty {
            let place = parent.steps.isEmpty ? "a pipeline spec" : "\"\(parent)\""
            text += "; \(place) takes \(known.sorted().joined(separator: ", "))"
        }
        return Failure(text)
    }

    private static func mismatch(
        _ path: FieldPath, _ leaf: JSON, _ failure: any Error, _ spec: SpecDocument
    ) -> Failure {
        var path = path
        // A list or mapping where another shape is wanted fails at its first element; wrong is the field around.
        while path.steps.count > 1, let last = path.steps.last,
            expectations(path).isEmpty || isIndexOfNoList(last, path)
        {
            path.steps.removeLast()
        }
        let wanted = expectations(path)
        let found = path.steps.isEmpty ? leaf : value(at: path, in: spec.json) ?? leaf
        var text = "\(spec.place(path)): \(path): "
        text += "expected \(wanted.isEmpty ? "something else" : wanted.joined(separator: " or ")), found \(kind(found))"
        return Failure(text)
    }

    private static func isIndexOfNoList(_ step: FieldPath.Step, _ path: FieldPath) -> Bool {
        guard case .index = step else { return false }
        return failure(FieldPath(steps: path.steps.dropLast()), .array([])) != nil
    }

    private static func value(at path: FieldPath, in json: JSON) -> JSON? {
        var current: JSON? = json
        for step in path.steps {
            switch step {
            case .key(let key): current = current?[key]
            case .index(let index):
                guard let elements = current?.elements, elements.indices.contains(index) else { return nil }
                current = elements[index]
            }
        }
        return current
    }

    /// The shapes that fit at a path, found by trying one of each.
    private static func expectations(_ path: FieldPath) -> [String] {
        func fits(_ value: JSON) -> Bool { failure(path, value) == nil }
        if fits(.array([])) { return ["a list, such as [a, b]"] }
        if fits(.object([])) { return ["a mapping of fields"] }
        if fits(.bool(true)) { return ["true or false"] }
        if fits(.string("word")) { return ["a text"] }
        if fits(.number("1")) { return ["a number"] }
        if fits(.string("1s")) { return ["a duration, such as \"60s\""] }
        if fits(.string("2026-01-02T03:04:05Z")) { return ["a time, such as 2026-01-02T03:04:05Z"] }
        return []
    }

    private static func kind(_ json: JSON) -> String {
        switch json {
        case .null: "nothing"
        case .bool(let flag): "\(flag)"
        case .number(let number): "the number \(number)"
        case .string(let text): "the text \"\(text)\""
        case .array: "a list"
        case .object: "a mapping"
        }
    }
}

/// The words of pipeline specs: fields to suggest, and fields of older versions with what to write today.
enum SpecVocabulary {
    static let fields: [String] = """
        pipeline transform parallelism_spec egress update output_branch s3_out resource_requests resource_limits \
        sidecar_resource_limits sidecar_resource_requests input description reprocess service spout datum_set_spec \
        datum_timeout job_timeout salt datum_tries scheduling_spec pod_spec pod_patch spec_commit metadata \
        reprocess_spec autoscaling tolerations dry_run determined maximum_expected_uptime tf_job name project image \
        cmd err_cmd env secrets image_pull_secrets stdin err_stdin accept_return_code debug user working_dir \
        dockerfile memory_volume datum_batching constant number size_bytes per_worker internal_port external_port ip \
        type cpu memory gpu disk pfs join group cross union cron repo repo_type branch commit glob join_on \
        outer_join group_by lazy empty_files s3 trigger propagation_spec reference spec overwrite start url \
        object_storage sql_database node_selector priority_class_name annotations labels key mount_path env_var all \
        cron_spec size commits rate_limit_spec operator value effect toleration_seconds workspaces password_secret \
        file_format secret columns never
        """.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)

    /// What to write instead of a field that earlier versions had.
    static func advice(for path: FieldPath) -> String? {
        switch path.description {
        case "spout.marker":
            "a spout keeps its position in the metadata of the commits it writes, and reads it back at its start"
        case "spout.overwrite":
            "a put replaces a file unless it is told to append; leave this field out"
        case "standby": "write \"autoscaling: true\""
        case "chunk_spec": "write \"datum_set_spec\""
        case "enable_stats": "statistics are always kept; leave this field out"
        case "cache_size", "max_queue_size", "hashtree_spec": "it has no meaning any more; leave it out"
        case "parallelism_spec.coefficient": "write \"constant\", the number of workers"
        default: path.description.hasSuffix(".atom") || path.description == "input.atom" ? "write \"pfs\"" : nil
        }
    }
}
