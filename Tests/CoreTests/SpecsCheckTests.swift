import Core
import Testing

/// The checks of `pps.md` §1.5: each spec breaks one rule and all later ones that it can.
@Suite struct SpecsCheckTests {
    private func spec(_ text: String) throws -> PipelineSpec {
        PipelineSpec(SpecDefaults.effective(try SpecDocument.read(text).json))
    }

    @Test(arguments: [
        ("tf_job: {tf_job: x}", "embedding TFJobs in pipelines is not supported yet"),
        ("reprocess_spec: never", "ReprocessSpec must be one of"),
        (
            "tolerations: [{operator: EXISTS}, {key: a}]",
            "toleration 2/2: cannot omit key/value comparison operator; specify EQUAL or EXISTS"
        ),
        ("pod_spec: '{'", "malformed PodSpec"),
        ("pod_patch: 'x'", "malformed PodPatch"),
        ("service: {type: Door}", "the following service type Door is not allowed"),
    ])
    func staticFaultsAreInvalidArguments(_ text: String, _ fragment: String) throws {
        let error = try #require(throws: SpileError.self) { try spec(text).checkStatic() }
        #expect(error.code == .invalidArgument)
        #expect(error.message.hasPrefix("invalid effective spec"))
        #expect(error.message.contains(fragment))
    }

    @Test(arguments: [
        ("pipeline: {}", "request.Pipeline.Name cannot be empty"),
        (
            "pipeline: {name: a b}\ns3_out: true\nspout: {}",
            "only alphanumeric characters, underscores, and dashes are allowed"
        ),
        ("pipeline: {name: \(String(repeating: "a", count: 53))}", "is 2 characters longer than the 51 max"),
        (
            "pipeline: {name: \(String(repeating: "a", count: 51)), project: {name: longproject}}\ns3_out: true",
            "characters longer than the 63 max"
        ),
        ("pipeline: {name: _a}\ns3_out: true\nspout: {}", "s3 output is not supported in spouts or services"),
        ("pipeline: {name: _a}\ntransform: null\nspout: {}\nautoscaling: true", "pipeline must specify a transform"),
        ("pipeline: {name: _a}\nspout: {}\nautoscaling: true", "autoscaling can't be used with spouts"),
        ("pipeline: {name: _a}\nspout: {}\ninput: {}", "pipeline names must start with an alphanumeric character"),
        ("pipeline: {name: a}\ninput: {}", "no input set"),
        ("pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /}, cron: {name: c}}", "multiple input types set"),
        ("pipeline: {name: a}\ninput: {pfs: {glob: /}}", "input must specify a name"),
        ("pipeline: {name: a}\ninput: {pfs: {name: x, glob: /}}", "input must specify a repo"),
        ("pipeline: {name: a}\ninput: {pfs: {repo: r}}", "input must specify a glob"),
        ("pipeline: {name: a}\ninput: {pfs: {repo: r, name: out, glob: /}}", "input cannot be named out"),
        (
            "pipeline: {name: a}\ninput: {pfs: {repo: out, glob: /}}",
            "inputs based on repos named \"out\" must have 'name' set"
        ),
        (
            "pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /*, s3: true}}",
            "inputs that set 's3' to 'true' must also set 'glob'"
        ),
        ("pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /, s3: true, lazy: true}}", "both 's3' and 'lazy'"),
        (
            "pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /, s3: true, empty_files: true}}",
            "both 's3' and 'empty_files'"
        ),
        ("pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /, commit: x}}", "input cannot come from a commit"),
        (
            "pipeline: {name: a}\ninput: {join: [{pfs: {repo: r, glob: /, s3: true}}]}",
            "S3 inputs in join expressions are not supported"
        ),
        (
            "pipeline: {name: a}\ninput: {cross: [{pfs: {repo: r, glob: /}}, {pfs: {repo: r, glob: /}}]}",
            "name \"r\" was used more than once"
        ),
        ("pipeline: {name: a}\ninput: {cron: {name: c, spec: '* *'}}", "error parsing cron-spec"),
        ("pipeline: {name: a}\negress: {sql_database: {url: x}}", "egress.sql_database.secret is required"),
        (
            "pipeline: {name: a}\negress: {sql_database: {secret: {name: x}}}",
            "egress.sql_database.secret.key are required"
        ),
        (
            "pipeline: {name: a}\nservice: {}\nparallelism_spec: {constant: 2}",
            "services can only be run with a constant parallelism of 1"
        ),
        (
            "pipeline: {name: a}\nspout: {}\ninput: {pfs: {repo: r, glob: /}}",
            "spout pipelines (without a service) must not have an input"
        ),
    ])
    func faultsOfShapeComeInTheirOrder(_ text: String, _ fragment: String) throws {
        let error = try #require(throws: SpileError.self) { try spec(text).checkShape() }
        #expect(error.code == .unknown)
        #expect(error.message.contains(fragment), "\(error)")
    }

    @Test(arguments: [
        ("egress: {URL: 's3://b/x'}", "s3://b/x"), ("egress: {object_storage: {url: 's3://b/x/'}}", "s3://b/x/"),
        ("description: none", nil), ("spout: {}\negress: {URL: 'https://has/no/effect'}", nil),
    ])
    func whereOutputGoesIsToldByEitherForm(_ text: String, _ url: String?) throws {
        let input = text.hasPrefix("spout") ? "" : "input: {pfs: {repo: r, glob: /}}\n"
        #expect(try spec("pipeline: {name: a}\n\(input)\(text)").egressURL?.text == url)
    }

    @Test(arguments: [
        ("{}", SpileError.Code.invalidArgument, "has no target"),
        ("{URL: bucket}", .invalidArgument, "is not a URL"),
        ("{URL: 'https://b/x'}", .invalidArgument, "cannot be written"),
        ("{URL: 's3://'}", .invalidArgument, "names no bucket"),
        ("{object_storage: {url: 'gs://b/x'}}", .unimplemented, "gs://"),
        ("{sql_database: {url: x, secret: {name: a, key: b}}}", .unimplemented, "database"),
    ])
    func whereOutputCannotGoIsSaid(_ egress: String, _ code: SpileError.Code, _ fragment: String) throws {
        let spec = try spec("pipeline: {name: a}\ninput: {pfs: {repo: r, glob: /}}\negress: \(egress)")
        let error = try #require(throws: SpileError.self) { try spec.egressURL }
        #expect(error.code == code && error.message.contains(fragment), "\(error)")
    }

    @Test func siblingsOfAUnionMayShareAName() throws {
        try spec("pipeline: {name: a}\ninput: {union: [{pfs: {repo: r, glob: /}}, {pfs: {repo: r, glob: '/*'}}]}")
            .checkShape()
    }

    @Test(arguments: [
        ("{name: s, env_var: A}", "secret s has env_var set but is missing key"),
        ("{name: s, env_var: A=B, key: k}", "is not the name of a variable"),
        ("{name: s, mount_path: etc/s}", "is not an absolute path"),
        ("{name: s, mount_path: /etc/../s}", "is not an absolute path"),
        ("{name: other, mount_path: /s}", "missing Kubernetes secret other"),
        ("{name: s, env_var: A, key: none}", "Kubernetes secret s missing key none"),
        ("{name: s, mount_path: /s, key: none}", "Kubernetes secret s missing key none"),
    ])
    func secretsThatAreNotThereAreRefused(_ secret: String, _ text: String) throws {
        let error = try #require(throws: SpileError.self) {
            try spec("transform: {secrets: [\(secret)]}").checkSecrets { $0 == "s" ? ["k"] : nil }
        }
        #expect(error.code == .unknown && error.message.contains(text), "\(error)")
        try spec("transform: {secrets: [{name: s, env_var: A, key: k}, {name: s, mount_path: /s}]}")
            .checkSecrets { _ in ["k"] }
    }

    @Test func aCommandWithoutInputIsASpout() throws {
        #expect(try spec("transform: {cmd: [x]}").kind == .spout)
        #expect(try spec("spout: {}").kind == .spout)
        #expect(try spec("transform: {cmd: [x]}\ninput: {pfs: {}}").kind == .transform)
        #expect(try spec("transform: {cmd: [x]}\nservice: {}").kind == .service)
        #expect(try spec("description: x").kind == .transform)
    }
}
