import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Secrets of a launch as files of its private folder: `secrets/<name>/<key>`, mode 0400, gone with the folder.
enum SecretFolders {
    /// To be called once the private folder is closed to others (mode 0700).
    static func lay(_ mounts: [LaunchMount], in folder: String, user: UserIdentity?) throws {
        if mounts.isEmpty { return }
        var paths = [folder + "/secrets"]
        for (name, files) in Dictionary(mounts.map { ($0.secret, $0.files) }, uniquingKeysWith: { $1 }) {
            paths.append(folder + "/secrets/" + name)
            try PosixFiles.makeFolder(paths[paths.count - 1], mode: 0o700)
            for file in files {
                let path = "\(folder)/secrets/\(name)/\(file.name)"
                try PosixFiles.write(file.bytes, to: path, mode: 0o400)
                paths.append(path)
            }
        }
        guard let user else { return }
        for path in paths where chown(path, user.user, user.group) != 0 {
            throw PosixFiles.fault("give to transform.user", path)
        }
    }

    /// Where each secret lies, for the code's environment.
    static func variables(_ mounts: [LaunchMount], in folder: String) -> [(name: String, value: String)] {
        mounts.map { ($0.variable, "\(folder)/secrets/\($0.secret)") }
    }
}
