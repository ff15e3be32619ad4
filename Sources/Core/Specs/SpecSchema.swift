/// The messages a pipeline spec is made of, as data: what the reader checks a text against.
///
/// The table says what `contract/wire.tsv` says of `pps_v2.CreatePipelineRequest` and everything reachable from it; a
/// test compares the two.
package struct SpecSchema: Sendable {
    package enum Shape: Sendable { case single, list, map }

    package struct Field: Sendable {
        /// As in the .proto file.
        package var name: String
        /// The lowerCamel form of proto JSON.
        package var jsonName: String
        /// A message of the table, an enum of the table, or a scalar (`string`, `int64`, `duration` …).
        package var type: String
        package var shape: Shape
        /// Fields of one message with the same name here exclude each other.
        package var choice: String?
    }

    package let messages: [String: [Field]]
    /// Names of each enum's values by number.
    package let enums: [String: [String]]
    /// Fields of older releases and what to write instead, by message and name.
    package let retired: [String: [String: String]]

    package static let pipelines = SpecSchema(table: table, enums: enumValues, retired: retiredFields)
    package static let request = "CreatePipelineRequest"

    private init(table: String, enums: [String: [String]], retired: [String: [String: String]]) {
        var messages: [String: [Field]] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            messages[words[0]] = words.dropFirst().map(Self.field)
        }
        self.messages = messages
        self.enums = enums
        self.retired = retired
    }

    /// Reads `name:type`, `name:type[]`, `name:type{}` or `name:type|choice`.
    private static func field(_ word: String) -> Field {
        let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
        let type = parts[1].split(separator: "|").map(String.init)
        let shape: Shape = type[0].hasSuffix("[]") ? .list : type[0].hasSuffix("{}") ? .map : .single
        return Field(
            name: parts[0], jsonName: camelCase(parts[0]),
            type: shape == .single ? type[0] : String(type[0].dropLast(2)), shape: shape,
            choice: type.count > 1 ? type[1] : nil)
    }

    /// The proto JSON name of a field.
    package static func camelCase(_ name: String) -> String {
        var result = ""
        var raise = false
        for character in name {
            if character == "_" {
                raise = true
                continue
            }
            result += raise ? character.uppercased() : String(character)
            raise = false
        }
        return result
    }

    private static let enumValues = [
        "TolerationOperator": ["EMPTY", "EXISTS", "EQUAL"],
        "TaintEffect": ["ALL_EFFECTS", "NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"],
        "FileFormatType": ["UNKNOWN", "CSV", "JSON", "PARQUET"],
    ]

    private static let retiredFields = [
        "Spout": [
            "marker":
                "spout markers are gone: keep the position of the source in the metadata of the commit that holds "
                + "what was read up to it; the next launch is handed the last one",
            "overwrite":
                "spouts no longer overwrite by a setting: write to the same path again, which replaces the file",
        ]
    ]

    private static let table = """
        CreatePipelineRequest pipeline:Pipeline tf_job:TFJob transform:Transform parallelism_spec:ParallelismSpec \
        egress:Egress update:bool output_branch:string s3_out:bool resource_requests:ResourceSpec \
        resource_limits:ResourceSpec sidecar_resource_limits:ResourceSpec input:Input description:string \
        reprocess:bool service:Service spout:Spout datum_set_spec:DatumSetSpec datum_timeout:duration \
        job_timeout:duration salt:string datum_tries:int64 scheduling_spec:SchedulingSpec pod_spec:string \
        pod_patch:string spec_commit:Commit metadata:Metadata reprocess_spec:string autoscaling:bool \
        tolerations:Toleration[] sidecar_resource_requests:ResourceSpec dry_run:bool determined:Determined \
        maximum_expected_uptime:duration
        Pipeline name:string project:Project
        Project name:string
        TFJob tf_job:string
        Transform image:string cmd:string[] err_cmd:string[] env:string{} secrets:SecretMount[] \
        image_pull_secrets:string[] stdin:string[] err_stdin:string[] accept_return_code:int64[] debug:bool \
        user:string working_dir:string dockerfile:string memory_volume:bool datum_batching:bool
        SecretMount name:string key:string mount_path:string env_var:string
        ParallelismSpec constant:uint64
        Egress URL:string object_storage:ObjectStorageEgress|target sql_database:SQLDatabaseEgress|target
        ObjectStorageEgress url:string
        SQLDatabaseEgress url:string file_format:FileFormat secret:SQLSecret
        FileFormat type:FileFormatType columns:string[]
        SQLSecret name:string key:string
        ResourceSpec cpu:float memory:string gpu:GPUSpec disk:string
        GPUSpec type:string number:int64
        Input pfs:PFSInput join:Input[] group:Input[] cross:Input[] union:Input[] cron:CronInput
        PFSInput name:string repo:string branch:string commit:string glob:string join_on:string outer_join:bool \
        group_by:string lazy:bool empty_files:bool s3:bool trigger:Trigger repo_type:string project:string \
        propagation_spec:PropagationSpec reference:bool
        PropagationSpec never:bool
        Trigger branch:string all:bool rate_limit_spec:string size:string commits:int64 cron_spec:string
        CronInput name:string repo:string commit:string spec:string overwrite:bool start:timestamp project:string
        Service internal_port:int32 external_port:int32 ip:string type:string
        Spout service:Service
        DatumSetSpec number:int64 size_bytes:int64 per_worker:int64
        SchedulingSpec node_selector:string{} priority_class_name:string
        Commit branch:Branch id:string repo:Repo
        Branch repo:Repo name:string
        Repo name:string type:string project:Project
        Metadata annotations:string{} labels:string{}
        Toleration key:string operator:TolerationOperator value:string effect:TaintEffect \
        toleration_seconds:int64
        Determined workspaces:string[]
        """
}
