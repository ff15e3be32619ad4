import ArgumentParser
import Server

/// What the launcher `kubernetes` needs to know of its cluster.
struct KubernetesFlags: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            The cluster and the credentials to run pods with, its current context (default: $KUBECONFIG, else the \
            service account of the pod that the server runs in).
            """, valueName: "file"))
    var kubeconfig: String?
    @Option(
        name: .customLong("kubernetes-namespace"), parsing: .unconditional,
        help: ArgumentHelp(
            "The namespace of the pods (default: $SPILE_KUBERNETES_NAMESPACE, else that of the account).",
            valueName: "name"))
    var namespace: String?
    @Option(
        name: .customLong("kubernetes-service"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            The Service by which pods find this server, NAME[:PORT]; they get it as PACHD_SERVICE_HOST (default: \
            $SPILE_KUBERNETES_SERVICE, else pachd and the port of --listen). With TLS, that of --peer-listen.
            """, valueName: "service"))
    var service: String?
    @Option(
        name: .customLong("kubernetes-image"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            An image with the static program at /usr/local/bin/spile: an init container brings it to each pod as \
            /pach-bin/pachctl, and workers of transforms stay up with it (default: $SPILE_KUBERNETES_IMAGE, else pods \
            get none, and each datum is a pod).
            """, valueName: "image"))
    var image: String?
    @Option(
        name: .customLong("kubernetes-claim"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            The ReadWriteMany claim of the volume that holds the data folder, NAME, or NAME:FOLDER where the volume \
            is mounted at FOLDER: code of services finds its files at /pfs through it (default: \
            $SPILE_KUBERNETES_CLAIM, else services are refused). Workers of transforms need none.
            """, valueName: "claim"))
    var claim: String?
    @Option(
        name: .customLong("kubernetes-account"), parsing: .unconditional,
        help: ArgumentHelp(
            "The service account of the pods; they get no token of it (default: the namespace's own).",
            valueName: "name"))
    var account: String?
    @Option(
        name: .customLong("kubernetes-pull-secret"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "A Secret of the namespace with which nodes fetch images, for every pod. Repeat it.", valueName: "name"))
    var pullSecrets: [String] = []

    @Option(
        name: .customLong("kubernetes-address"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            Where workers find this very server, HOST[:PORT], one of several or not (default: \
            $SPILE_KUBERNETES_ADDRESS, else its own address in the cluster's network, and a free port).
            """, valueName: "address"))
    var address: String?

    /// A flag, else its variable.
    func settings(_ environment: Environment) -> KubernetesSettings {
        func value(_ flag: String?, _ variable: String) -> String? {
            flag.flatMap { $0.isEmpty ? nil : $0 } ?? environment.nonEmpty(variable)
        }
        var settings = KubernetesSettings()
        settings.kubeconfig = kubeconfig
        settings.namespace = value(namespace, "SPILE_KUBERNETES_NAMESPACE")
        settings.service = value(service, "SPILE_KUBERNETES_SERVICE") ?? settings.service
        settings.image = value(image, "SPILE_KUBERNETES_IMAGE")
        settings.claim = value(claim, "SPILE_KUBERNETES_CLAIM")
        settings.account = account
        settings.workerAddress = value(address, "SPILE_KUBERNETES_ADDRESS")
        settings.pullSecrets = pullSecrets
        return settings
    }
}
