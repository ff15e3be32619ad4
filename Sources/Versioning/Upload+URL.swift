import Core

extension FileOperations {
    /// Appends what `url` names to the file at `path`; with `recursive`, the files below it to paths below `path`
    /// (`pfs.md` §4.6.3). Whatever goes wrong, the stream has to be dropped: some bytes may have come in.
    ///
    /// The other calls of an upload block on the disk, and a fetch waits for the network, which must hold no thread:
    /// so the caller's task waits, asks for one piece, and writes it with the ordinary blocking call before it asks for
    /// the next. A slow disk thus slows the other side's connection, and a slow other side keeps no thread.
    ///
    /// `goesOn` is asked before each piece and ends the fetch by throwing.
    package func add(
        path: String, datum: String, from url: String, recursive: Bool, by source: any URLSource,
        goesOn: () throws -> Void = {}
    ) async throws {
        let url = try SourceURL(url)
        try refuseServerFiles(url)
        // What the path is good for shows before anything is fetched.
        if !recursive { _ = try FilePath.validated(path) }
        try await source.fetch(url, recursive: recursive) { rest, bytes in
            try goesOn()
            try add(path: rest.isEmpty ? path : path + rest, datum: datum, bytes: bytes)
        }
    }

    /// Files of the server's machine are for its users, not for code that it runs: that has a folder of its own.
    private func refuseServerFiles(_ url: SourceURL) throws {
        guard case .launch(let pipeline, _) = principal, url.scheme == .file else { return }
        throw Principal.refusal(of: pipeline, "put a file of the server's disk", remedy: "send its bytes")
    }
}
