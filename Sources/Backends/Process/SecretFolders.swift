import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Secrets of a launch as files of its private folder: `secrets/<name>/<key>`, gone with the folder.
enum SecretFolders {
    /// To be called once the private folder is closed to others (mode 0700). The modes hold whatever the umask is.
    static func lay(
        _ mounts: [LaunchMount], in folder: String, folderMode: UInt32 = 0o700, fileMode: UInt32 = 0o400,
        user: UserIdentity? = nil
    ) throws {
        if mounts.isEmpty { return }
        var paths = [folder + "/secrets"]
        // One secret may be wanted at several places.
        for (name, files) in Dictionary(mounts.map { ($0.secret, $0.files) }, uniquingKeysWith: { $1 }) {
            paths.append(folder + "/secrets/" + name)
            try PosixFiles.makeFolder(paths[paths.count - 1])
            chmod(paths[paths.count - 1], folderMode)
            for file in files {
                let path = "\(folder)/secrets/\(name)/\(file.name)"
                try PosixFiles.write(file.bytes, to: path, mode: fileMode)
                chmod(path, fileMode)
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
