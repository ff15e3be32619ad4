/// How containers are run, for all pipelines alike.
package struct ContainerOptions: Sendable {
    /// When an image is fetched from its registry.
    package enum Pull: String, Sendable, CaseIterable { case missing, always, never }

    /// The command that runs containers; nil takes podman, or else docker.
    package var command: String?
    /// The engine's network.
    ///
    /// The host's own is the default because it is the one in which the server's address means the same inside as
    /// outside, whatever the server listens on and whichever engine runs the container: no bridge's gateway to guess,
    /// no port of the server to open to other machines, and the ports of a spout that listens are where its spec says.
    package var network: String
    package var pull: Pull
    /// The program that containers get as `pachctl` and `spile`; nil for the running one. It is run inside of any image
    /// and therefore should be static.
    package var toolBinary: String?
    /// Tells the containers of this server from those of others on the machine: a label's value, the same after a
    /// restart.
    package var owner: String
    /// The address at which ports are published, where the engine does it.
    package var serviceHost: String

    /// In the host's network the program's own port is a port of this machine; in a network of its own the engine has
    /// to publish it.
    var publishesPorts: Bool { !["host", "none"].contains(network) }

    package init(
        command: String? = nil, network: String = "host", pull: Pull = .missing, toolBinary: String? = nil,
        owner: String, serviceHost: String = "0.0.0.0"
    ) {
        self.command = command
        self.network = network
        self.pull = pull
        self.toolBinary = toolBinary
        self.owner = owner
        self.serviceHost = serviceHost
    }
}
