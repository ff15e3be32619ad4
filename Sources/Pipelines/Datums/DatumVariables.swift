import Core

extension Datum {
    /// The variables that tell code of its datum (`pps.md` §6.3). Of several files of one input the last one counts.
    /// `commits`: of each input of the tree, from the left, what is read of it.
    package func variables(commits: [CommitID?], output: CommitID) -> [String: String] {
        var result = ["PACH_DATUM_ID": "\(id)", "PACH_OUTPUT_COMMIT_ID": "\(output)"]
        for file in files {
            let name = file.input.leaf.name
            let path = file.path.hasSuffix("/") ? String(file.path.dropLast()) : file.path
            result[name] = "/pfs/\(name)\(path)"
            if let commit = commits[file.input.index] { result["\(name)_COMMIT"] = "\(commit)" }
            if !file.joinKey.isEmpty { result["PACH_DATUM_\(name)_JOIN_ON"] = file.joinKey }
            if !file.groupKey.isEmpty { result["PACH_DATUM_\(name)_GROUP_BY"] = file.groupKey }
        }
        return result
    }
}
