/// Runs the server in this process until it is told to stop.
func launchServer(dataFolder: String, host: String, port: Int, logLevel: String) async throws {
    throw Failure("this build holds no server")
}
